/** Readings in pixels of the films themselves, for tables that know their films in other units. */
import { type FilmLookup, type LookUpOptions, lookUp, noFilmKnown } from './film-sizes.js';
import { heldWeakly } from './packed.js';
import type { ChestBox, FilmSize, Fixation, GazeTable, Reading } from './reading.js';

/**
 * Brings readings to the sizes of their films: fractions of a film, or places on it as it stood on a screen, become its
 * pixels. A reading of a film that the lookup does not know stays as it is.
 *
 * @param table of readings
 * @param films finds the sizes, asked once for each film
 * @throws whatever the lookup throws; `ERR_ABORTED`
 * @internal
 */
export async function rescaleToFilms(
  table: GazeTable,
  films: FilmLookup,
  options: LookUpOptions = {},
): Promise<GazeTable> {
  const images = new Set(table.readings.map(({ image }) => image));
  const sizes = await lookUp([...images], films, options);
  const readings = table.readings.map((reading) => {
    const size = sizes.get(reading.image);
    return size ? rescaled(reading, size) : reading;
  });
  return { ...table, readings };
}

/** The fixations are made when they are asked for: spreading the reading would make all of them at once. */
function rescaled(reading: Reading, { width, height }: FilmSize): Reading {
  const { id, image, chestBox, stamp } = reading;
  // Multiplied first: a place on the far edge must stay on it.
  const across = (x: number): number => (x * width) / reading.width;
  const down = (y: number): number => (y * height) / reading.height;
  const place = ({ x, y, start, end }: Fixation): Fixation => ({ x: across(x), y: down(y), start, end });
  const fixations = heldWeakly(() => reading.fixations.map(place));
  const edges = ({ xmin, ymin, xmax, ymax }: ChestBox): ChestBox => ({
    ...{ xmin: across(xmin), ymin: down(ymin), xmax: across(xmax), ymax: down(ymax) },
  });
  return {
    ...{ id, image, width, height },
    ...(chestBox ? { chestBox: edges(chestBox) } : {}),
    ...(stamp ? { stamp } : {}),
    get fixations() {
      return fixations();
    },
  };
}

/**
 * Leaves out the readings of films whose size is not known, whose places are fractions, and counts their fixations as
 * `unknownFilm`.
 *
 * @throws `ERR_DATASET` if no film is known
 * @internal
 */
export function withoutUnsized(table: GazeTable): GazeTable {
  const unsized = table.readings.filter((reading) => !isSized(reading));
  if (unsized.length === 0) return table;
  const images = unsized.map(({ image }) => image);
  const sized = table.readings.filter(isSized);
  if (sized.length === 0) throw noFilmKnown(table.name, [...new Set(images)]);
  const rows = unsized.reduce((sum, { fixations }) => sum + fixations.length, 0);
  const { unknownFilm = 0 } = table.filtered;
  return {
    ...{ ...table, readings: sized, filtered: { ...table.filtered, unknownFilm: unknownFilm + rows } },
    unknownFilms: [...new Set([...(table.unknownFilms ?? []), ...images])],
  };
}

function isSized({ width, height }: Reading): boolean {
  return width >= 2 && height >= 2;
}
