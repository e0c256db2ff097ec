import { list, number, object, text } from '../validate.js';

/** One fixation, or one sample of an eye tracker: the eye rests on one place. */
export interface Fixation {
  /** Column in pixels, from the left edge of the film. */
  readonly x: number;
  /** Row in pixels, from its upper edge. */
  readonly y: number;
  /** Seconds since the film appeared. */
  readonly start: number;
  /** Seconds since the film appeared; not before `start`. */
  readonly end: number;
}

/** A rectangle around lungs and heart, in pixels of the film; its edges belong to it. */
export interface ChestBox {
  /** Left edge. */
  readonly xmin: number;
  /** Upper edge. */
  readonly ymin: number;
  /** Right edge. */
  readonly xmax: number;
  /** Lower edge. */
  readonly ymax: number;
}

/** The size of a film. */
export interface FilmSize {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** One film read by one person. */
export interface Reading extends FilmSize {
  /** Name of the recording, unique in its table. */
  readonly id: string;
  /**
   * Name of the film: last path component without extension, as feature files and label tables know it. Several
   * recordings may be of one film.
   */
  readonly image: string;
  /** Columns of the film; 1 where its size is not known and coordinates are fractions of it. */
  readonly width: number;
  /** Rows of the film; 1 where its size is not known and coordinates are fractions of it. */
  readonly height: number;
  /** In order of their beginning. */
  readonly fixations: readonly Fixation[];
  /** Where lungs and heart lie, if the data set says so. */
  readonly chestBox?: ChestBox;
  /**
   * Which end of a fixation is the one time stamp that the original table gives: what closed time windows go by.
   * `'start'` where absent.
   */
  readonly stamp?: 'start' | 'end';
}

/** A gaze data set in memory. */
export interface GazeTable {
  /** What messages call it. */
  readonly name: string;
  /** Recordings in order of their first row. */
  readonly readings: readonly Reading[];
  /**
   * Rows left out, by reason: `notFinite` (a coordinate or time that is no number), `endBeforeStart`, `offFilm`; and what
   * was set right or passed over: `unsorted` rows (sorted by time), `discarded` readings, `calibration` rows, rows of an
   * `unknownFilm` (one whose size is not known), `outsideChestBox` rows and `withoutChestBox` readings ({@link withinChestBoxes}).
   */
  readonly filtered: Readonly<Record<string, number>>;
  /** Names of the films whose size is not known, if there are any: their rows were left out. */
  readonly unknownFilms?: readonly string[];
  /** Rows read, those left out included. */
  readonly rows: number;
}

/**
 * The fixations within the chest box, its edges included; durations stay as they are.
 *
 * @param reading with a chest box; without one it is returned as it is
 */
export function withinChestBox(reading: Reading): Reading {
  const box = requireReading('reading', reading).chestBox;
  if (!box) return reading;
  const fixations = reading.fixations.filter(
    ({ x, y }) => x >= box.xmin && x <= box.xmax && y >= box.ymin && y <= box.ymax,
  );
  return { ...reading, fixations };
}

/**
 * A table of which only the fixations within the chest boxes are left, as {@link withinChestBox}, counted:
 * `filtered.outsideChestBox` are the fixations left out, `filtered.withoutChestBox` the readings without a box, which are
 * kept whole.
 *
 * @param table of readings
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for what is no table of readings
 */
export function withinChestBoxes(table: GazeTable): GazeTable {
  let [outsideChestBox, withoutChestBox] = [0, 0];
  const readings = list('table.readings', object('table', table).readings, (_, reading) => {
    const within = withinChestBox(reading as Reading);
    if (within.chestBox) outsideChestBox += (reading as Reading).fixations.length - within.fixations.length;
    else withoutChestBox++;
    return within;
  });
  return { ...table, readings, filtered: { ...table.filtered, outsideChestBox, withoutChestBox } };
}

/** @internal Whether a place lies on a film, whose edges belong to it; a place that is no number does not. */
export function isOnFilm({ width, height }: FilmSize, x: number, y: number): boolean {
  return x >= 0 && y >= 0 && x <= width && y <= height;
}

/** @internal The fixations that lie on the film, its edges included. */
export function fixationsOnFilm(reading: Reading): Fixation[] {
  return reading.fixations.filter(({ x, y }) => isOnFilm(reading, x, y));
}

/**
 * @internal Refuses what is no reading, as far as it can be seen without looking at each fixation's numbers.
 *
 * @param name of the argument, for the message
 */
export function requireReading(name: string, value: unknown): Reading {
  const reading = object(name, value as Reading);
  text(`${name}.id`, reading.id);
  text(`${name}.image`, reading.image);
  number(`${name}.width`, reading.width, { above: 0 });
  number(`${name}.height`, reading.height, { above: 0 });
  list(`${name}.fixations`, reading.fixations, (at, fixation) => object(at, fixation as Fixation));
  return reading;
}
