/** Pictures of predicted and recorded gaze: for a report, and as files beside it. */
import { overlay } from '../cam/overlay.js';
import { type Dataset, type Pixels, subsetOf } from '../data/dataset.js';
import { prepareImages } from '../data/prepare.js';
import { teacherSize } from '../models/teacher.js';
import type { GazePicture } from '../report/teacher-report.js';
import type { PredictedReading } from '../systems/gazelt/teacher-evaluate.js';
import { pngOf } from './png.js';

const channels = 3;

/**
 * Draws predicted maps (upper row) and recorded ones (lower row) over their films, a column each window.
 *
 * @param images films of the readings' data set
 * @param readings with their maps
 */
export async function gazePictures(
  images: Dataset,
  readings: readonly PredictedReading[],
): Promise<GazePicture[]> {
  const size = { width: teacherSize, height: teacherSize };
  const films = subsetOf(
    images,
    readings.map(({ index }) => index),
  );
  using prepared = await prepareImages(films, size);
  const pictures: GazePicture[] = [];
  for (const [i, { id, predicted, recorded }] of readings.entries()) {
    const place = prepared.locate(i);
    const bytes = place.source as Uint8Array;
    const data = bytes.subarray(place.offset, place.offset + teacherSize ** 2 * place.channels);
    const film: Pixels = { ...size, channels: place.channels, data };
    const tiles = [...predicted, ...recorded].map((map) => drawn(film, map));
    pictures.push({ id, image: await pngOf(tiled(tiles, predicted.length)) });
  }
  return pictures;
}

/** A map over its film, scaled to maximum 1; a black square where there is none. */
function drawn(film: Pixels, map: Float32Array | null): Pixels {
  const { width, height } = film;
  if (map === null) return { width, height, channels, data: new Uint8Array(width * height * channels) };
  const top = map.reduce((most, value) => Math.max(most, value), 0);
  const data = map.map((value) => (top > 0 ? Math.min(1, value / top) : 0));
  return overlay(film, { width, height, data });
}

function tiled(tiles: readonly Pixels[], columns: number): Pixels {
  const { width, height } = tiles[0] as Pixels;
  const rows = Math.ceil(tiles.length / columns);
  const data = new Uint8Array(columns * width * rows * height * channels);
  const line = columns * width * channels;
  for (const [i, tile] of tiles.entries()) {
    const left = (i % columns) * width * channels;
    const top = Math.floor(i / columns) * height;
    for (let y = 0; y < height; y++) {
      const row = tile.data.subarray(y * width * channels, (y + 1) * width * channels);
      data.set(row, (top + y) * line + left);
    }
  }
  return { width: columns * width, height: rows * height, channels, data };
}
