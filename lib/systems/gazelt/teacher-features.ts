import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { readNpy } from '../../checkpoints/npy.js';
import type { Dataset } from '../../data/dataset.js';
import { featureName } from '../../data/image-table.js';
import type { NeededFiles } from '../../data/needed-files.js';
import { CxrGazeError } from '../../errors.js';
import { tensor } from '../../tensor/create.js';
import type { Tensor } from '../../tensor/tensor.js';
import { invalidArgument, list, number, text } from '../../validate.js';

/** Numbers in a teacher vector of GazeLT. */
export const featureWidth = 64;

/**
 * Which vectors an image has: `gazelt` are the focal and the global teacher's (files `focal_NAME.npy`,
 * `global_NAME.npy`), anything else is the prefix of a single set, such as `gazeradar`.
 */
export type FeatureSet = 'gazelt' | (string & {});

/** Prefixes of the files of a feature set. */
export function featurePrefixes(set: FeatureSet): readonly string[] {
  return set === 'gazelt' ? ['focal', 'global'] : [text('features', set)];
}

/** The teacher vectors of a data set's images, in memory: 256 bytes an image and teacher. */
export class TeacherFeatures {
  /** One array `[N, 64]` a teacher. */
  readonly #vectors: readonly Float32Array[];

  /** @param vectors one array `[N, 64]` a teacher, row-major, in the order of the data set */
  constructor(vectors: readonly Float32Array[]) {
    this.#vectors = vectors;
  }

  /**
   * Reads the vectors of every image.
   *
   * @param dataset whose images; the name in a file is the image's last path component without extension
   * @param folder that holds the `.npy` files, float32 of shape (64,) or (1, 64)
   * @param set which files
   * @throws CxrGazeError `ERR_FILE`, `ERR_INVALID_SHAPE` or `ERR_NOT_FINITE` for a file that is not such a vector; look
   *   for missing ones with {@link neededFeatures} first
   */
  static async read(dataset: Dataset, folder: string, set: FeatureSet): Promise<TeacherFeatures> {
    const names = namesOf(dataset);
    const vectors: Float32Array[] = [];
    for (const prefix of featurePrefixes(set))
      vectors.push(await readAll(names.map((name) => fileOf(folder, prefix, name))));
    return new TeacherFeatures(vectors);
  }

  /** SHA-256 of the vectors in the order of the images, hexadecimal. */
  hash(): string {
    const hash = createHash('sha256');
    for (const { buffer, byteOffset, byteLength } of this.#vectors)
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    return hash.digest('hex');
  }

  /** The vectors of some images, one tensor `[B, 64]` a teacher. */
  batch(indices: ArrayLike<number>, device = 'cpu'): Tensor[] {
    return this.#vectors.map((all) => {
      const rows = new Float32Array(indices.length * featureWidth);
      for (let i = 0; i < indices.length; i++) {
        const start = (indices[i] as number) * featureWidth;
        rows.set(all.subarray(start, start + featureWidth), i * featureWidth);
      }
      return tensor(rows, [indices.length, featureWidth], { device });
    });
  }
}

function fileOf(folder: string, prefix: string, name: string): string {
  return path.join(folder, `${prefix}_${name}.npy`);
}

function namesOf(dataset: Dataset): string[] {
  return Array.from({ length: dataset.length }, (_, i) => featureName(dataset.sample(i).id));
}

/** Files looked for or read at a time. */
const AT_ONCE = 256;

/**
 * Looks for the vectors of every image of a data set.
 *
 * @param dataset whose images
 * @param folder that holds the `.npy` files
 * @param set which files
 * @returns what is needed and what of it is missing, one kind a teacher: for `refuseMissing`
 * @throws CxrGazeError `ERR_DATASET` where two images go by one name, so that it is open whose vector a file is
 */
export async function neededFeatures(
  dataset: Dataset,
  folder: string,
  set: FeatureSet,
): Promise<NeededFiles[]> {
  const names = namesOf(dataset);
  refuseSharedNames(dataset, names);
  return Promise.all(
    featurePrefixes(set).map(async (prefix) => {
      const files = names.map((name) => fileOf(folder, prefix, name));
      const missing = await absentOf(files);
      return {
        what: `${prefix} vectors of ${dataset.name}`,
        total: files.length,
        missing: missing.map((path) => ({ path })),
      };
    }),
  );
}

function refuseSharedNames(dataset: Dataset, names: readonly string[]): void {
  const first = new Map<string, number>();
  for (const [i, name] of names.entries()) {
    const before = first.get(name);
    if (before !== undefined) {
      const ids = [before, i].map((index) => dataset.sample(index).id);
      throw new CxrGazeError(
        'ERR_DATASET',
        `Expected images of different file names in ${dataset.name}, for teacher vectors are named after them, but ${ids.join(' and ')} are both '${name}'`,
        { details: { dataset: dataset.name, name, ids } },
      );
    }
    first.set(name, i);
  }
}

async function absentOf(files: readonly string[]): Promise<string[]> {
  const absent: string[] = [];
  for (let start = 0; start < files.length; start += AT_ONCE) {
    const part = files.slice(start, start + AT_ONCE);
    const there = await Promise.all(
      part.map((file) =>
        access(file).then(
          () => true,
          () => false,
        ),
      ),
    );
    absent.push(...part.filter((_, i) => !there[i]));
  }
  return absent;
}

async function readAll(files: readonly string[]): Promise<Float32Array> {
  const vectors = new Float32Array(files.length * featureWidth);
  for (let start = 0; start < files.length; start += AT_ONCE) {
    const part = await Promise.all(files.slice(start, start + AT_ONCE).map(readVector));
    for (const [i, vector] of part.entries()) vectors.set(vector, (start + i) * featureWidth);
  }
  return vectors;
}

async function readVector(file: string): Promise<Float32Array> {
  const { data, shape, dtype } = await readNpy(file);
  const row = shape.length === 1 || (shape.length === 2 && shape[0] === 1);
  if (dtype !== 'float32' || !row || shape.at(-1) !== featureWidth) throw shapeError(file, dtype, shape);
  const vector = data as Float32Array;
  const bad = vector.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return vector;
  throw new CxrGazeError(
    'ERR_NOT_FINITE',
    `${file}: expected finite numbers but found ${vector[bad]} at index ${bad}`,
    { details: { file, index: bad } },
  );
}

function shapeError(file: string, dtype: string, shape: readonly number[]): CxrGazeError {
  return new CxrGazeError(
    'ERR_INVALID_SHAPE',
    `${file}: expected a float32 vector of shape (${featureWidth},) or (1, ${featureWidth}), which is compared with the ${featureWidth} numbers of the student's bottleneck, but found ${dtype} of shape (${shape.join(', ')})`,
    { details: { file, dtype, shape } },
  );
}

/**
 * Checks shares of teachers: one number a teacher; equal ones by default.
 *
 * @param expected how many teachers there are
 * @param of what message calls them
 */
export function checkShares(
  name: string,
  shares: readonly number[] | undefined,
  expected: number,
  of: string,
): readonly number[] {
  if (shares === undefined) return new Array<number>(expected).fill(1 / expected);
  const given = list(name, shares, (at, share) => number(at, share, { min: 0 }));
  if (given.length === expected) return given;
  throw invalidArgument(name, `${expected} numbers, one for each teacher of ${of},`, shares);
}
