import { readFile } from 'node:fs/promises';
import { fileError } from '../checkpoints/fault.js';
import { kindOf, PlainDict, type PlainValue } from '../checkpoints/pickle-values.js';
import { readPlainPickle } from '../checkpoints/plain-pickle.js';
import { throwIfAborted } from '../data/bounded.js';
import { decodeText } from '../data/csv-text.js';
import { featureName } from '../data/image-table.js';
import { CxrGazeError } from '../errors.js';
import { knownKeys, text } from '../validate.js';
import { type GazeReadOptions, GazeTableBuilder, gazeReadOptionNames } from './builder.js';
import { checkedName } from './names.js';
import type { GazeTable } from './reading.js';

/** Samples a second of the tracker. */
const rate = 60;

/** A scanpath: three lists of one length. */
interface Scanpath {
  /** Name of the film. */
  readonly id: string;
  /** Fractions of the film's height: what the makers call x. */
  readonly down: ArrayLike<unknown>;
  /** Fractions of the film's width: what the makers call y. */
  readonly across: ArrayLike<unknown>;
  /** Samples that each point stands for. */
  readonly counts: ArrayLike<unknown>;
  /** Where it stands in the file. */
  readonly where: string;
}

/**
 * Reads the scanpaths of radiologists over SIIM-ACR pneumothorax films (Saab et al. 2021), as records in JSON
 * (`image_id`, `gaze_x`, `gaze_y`, `time`) or as the authors' pickle (a dict from `study/series/instance.dcm` to lists
 * of (x, y, t)). Which of both it is, the content decides. Nothing in a pickle is executed.
 *
 * **The axes are put right**: the makers' `gaze_x` runs down the film and `gaze_y` across it. Coordinates are fractions,
 * so the film is 1 x 1. `t` counts samples of a 60 Hz tracker that were merged into a point: point by point they follow
 * each other from 0 on, t/60 s each.
 *
 * @param file path of the file
 * @param options what to do about faults
 * @throws `ERR_TABLE` for records that are none or too many faulty points; `ERR_CHECKPOINT` for a pickle that is torn or
 *   asks for more than plain containers; `ERR_PATH_ESCAPE` for an id that leads elsewhere; `ERR_FILE`
 */
export async function readSiim(file: string, options: GazeReadOptions = {}): Promise<GazeTable> {
  text('file', file);
  knownKeys('options', options, gazeReadOptionNames);
  const builder = new GazeTableBuilder(file, options);
  const scanpaths = await readScanpaths(file);
  for (const [index, { id, down, across, counts, where }] of scanpaths.entries()) {
    throwIfAborted(options.signal, `Reading ${file}`);
    if (builder.recording(id))
      throw new CxrGazeError('ERR_TABLE', `${where}: the film was given before`, { details: { file, id } });
    const recording = builder.begin({ id, image: id, width: 1, height: 1 });
    let samples = 0;
    for (let i = 0; i < counts.length; i++) {
      const count = asNumber(counts[i]);
      const before = samples;
      if (count >= 0 && Number.isFinite(count)) samples += count;
      const end = Number.isFinite(count) ? (before + count) / rate : Number.NaN;
      builder.rows++;
      recording.add(asNumber(across[i]), asNumber(down[i]), before / rate, end, `${where}, point ${i + 1}`);
    }
    options.onProgress?.((index + 1) / scanpaths.length);
  }
  return builder.finish();
}

function asNumber(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN;
}

async function readScanpaths(file: string): Promise<Scanpath[]> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw fileError(file, 'could not be read', cause);
  });
  // Pickles of protocol 2 and later begin with PROTO; no text does.
  return bytes[0] === 0x80 ? fromPickle(file) : fromJson(file, bytes.toString('utf8'));
}

function malformed(file: string, where: string, problem: string): CxrGazeError {
  return new CxrGazeError('ERR_TABLE', `${where}: ${problem}`, { details: { file } });
}

function fromJson(file: string, content: string): Scanpath[] {
  let records: unknown;
  try {
    records = JSON.parse(decodeText(content, file));
  } catch (cause) {
    throw new CxrGazeError('ERR_TABLE', `${file}: neither JSON nor a pickle: ${(cause as Error).message}`, {
      cause,
      details: { file },
    });
  }
  if (!Array.isArray(records)) throw malformed(file, file, 'expected a list of records');
  return records.map((record: unknown, index): Scanpath => {
    const where = `${file}, record ${index + 1}`;
    if (typeof record !== 'object' || record === null) throw malformed(file, where, 'it is no record');
    const { image_id: id, gaze_x, gaze_y, time } = record as Record<string, unknown>;
    if (typeof id !== 'string') throw malformed(file, where, "it has no text 'image_id'");
    const lists = { gaze_x, gaze_y, time };
    for (const [name, values] of Object.entries(lists)) {
      if (!Array.isArray(values)) throw malformed(file, where, `it has no list '${name}'`);
      if (values.length !== (gaze_x as unknown[]).length)
        throw malformed(
          file,
          where,
          `'${name}' has ${values.length} values, 'gaze_x' ${(gaze_x as unknown[]).length}`,
        );
    }
    return {
      ...{ id: featureName(checkedName(id, where)), where },
      ...{ down: gaze_x as unknown[], across: gaze_y as unknown[], counts: time as unknown[] },
    };
  });
}

async function fromPickle(file: string): Promise<Scanpath[]> {
  const root = await readPlainPickle(file);
  if (!(root instanceof PlainDict)) throw malformed(file, file, `expected a dict but found ${kindOf(root)}`);
  return [...root].map(([key, points], index): Scanpath => {
    const where = `${file}, entry ${index + 1}`;
    if (typeof key !== 'string')
      throw malformed(file, where, `expected a text as key but found ${kindOf(key)}`);
    // `study/series/instance.dcm`: a path within the data set, whose last part is the film.
    for (const part of key.split('/')) checkedName(part, where);
    if (!Array.isArray(points))
      throw malformed(file, where, `expected a list of points but found ${kindOf(points)}`);
    const triples = (points as readonly PlainValue[]).map((point, i) => {
      if (Array.isArray(point) && point.length === 3) return point as readonly PlainValue[];
      throw malformed(file, where, `point ${i + 1} is not (x, y, t) but ${kindOf(point)}`);
    });
    return {
      ...{ id: featureName(key), where },
      down: triples.map(([x]) => x),
      across: triples.map(([, y]) => y),
      counts: triples.map(([, , t]) => t),
    };
  });
}
