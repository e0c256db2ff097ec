import { access } from 'node:fs/promises';
import path from 'node:path';
import { readNpy } from '../../checkpoints/npy.js';
import type { Dataset } from '../../data/dataset.js';
import { featureName } from '../../data/image-table.js';
import { CxrGazeError } from '../../errors.js';
import { tensor } from '../../tensor/create.js';
import type { Tensor } from '../../tensor/tensor.js';
import { invalidArgument, text } from '../../validate.js';

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

  private constructor(vectors: readonly Float32Array[]) {
    this.#vectors = vectors;
  }

  /**
   * Reads the vectors of every image.
   *
   * @param dataset whose images; the name in a file is the image's last path component without extension
   * @param folder that holds the `.npy` files, float32 of shape (64,) or (1, 64)
   * @param set which files
   * @throws CxrGazeError `ERR_DATASET` listing everything that is missing, with counts and first examples; `ERR_FILE` or
   *   `ERR_INVALID_SHAPE` for a file that is not such a vector
   */
  static async read(dataset: Dataset, folder: string, set: FeatureSet): Promise<TeacherFeatures> {
    const names = Array.from({ length: dataset.length }, (_, i) => featureName(dataset.sample(i).id));
    const prefixes = featurePrefixes(set);
    await refuseMissing(names, prefixes, folder, dataset.name);
    const vectors: Float32Array[] = [];
    for (const prefix of prefixes)
      vectors.push(await readAll(names.map((name) => fileOf(folder, prefix, name))));
    return new TeacherFeatures(vectors);
  }

  /** The vectors of some images, one tensor `[B, 64]` a teacher. */
  batch(indices: ArrayLike<number>): Tensor[] {
    return this.#vectors.map((all) => {
      const rows = new Float32Array(indices.length * featureWidth);
      for (let i = 0; i < indices.length; i++) {
        const start = (indices[i] as number) * featureWidth;
        rows.set(all.subarray(start, start + featureWidth), i * featureWidth);
      }
      return tensor(rows, [indices.length, featureWidth]);
    });
  }
}

function fileOf(folder: string, prefix: string, name: string): string {
  return path.join(folder, `${prefix}_${name}.npy`);
}

async function refuseMissing(
  names: readonly string[],
  prefixes: readonly string[],
  folder: string,
  dataset: string,
): Promise<void> {
  const files = prefixes.flatMap((prefix) => names.map((name) => fileOf(folder, prefix, name)));
  const missing: string[] = [];
  for (let start = 0; start < files.length; start += 256) {
    const part = files.slice(start, start + 256);
    const there = await Promise.all(
      part.map((file) =>
        access(file).then(
          () => true,
          () => false,
        ),
      ),
    );
    missing.push(...part.filter((_, i) => !there[i]));
  }
  if (missing.length === 0) return;
  const first = missing.slice(0, 5).join('\n  ');
  throw new CxrGazeError(
    'ERR_DATASET',
    `${missing.length} of ${files.length} feature files of ${dataset} are missing, the first being\n  ${first}`,
    { details: { folder, missing: missing.length, expected: files.length, first: missing.slice(0, 5) } },
  );
}

async function readAll(files: readonly string[]): Promise<Float32Array> {
  const vectors = new Float32Array(files.length * featureWidth);
  for (const [i, file] of files.entries()) {
    const { data, shape, dtype } = await readNpy(file);
    const fits = dtype === 'float32' && data.length === featureWidth && shape.at(-1) === featureWidth;
    if (!fits) throw shapeError(file, dtype, shape);
    vectors.set(data as Float32Array, i * featureWidth);
  }
  return vectors;
}

function shapeError(file: string, dtype: string, shape: readonly number[]): CxrGazeError {
  return new CxrGazeError(
    'ERR_INVALID_SHAPE',
    `${file}: expected a float32 vector of shape (${featureWidth},) or (1, ${featureWidth}) but found ${dtype} of shape (${shape.join(', ')})`,
    { details: { file, dtype, shape } },
  );
}

/** Checks shares of teachers: one number a teacher. */
export function checkShares(shares: readonly number[], set: FeatureSet): readonly number[] {
  const expected = featurePrefixes(set).length;
  if (shares.length === expected) return shares;
  throw invalidArgument('kdShares', `${expected} numbers, one for each teacher of '${set}',`, shares);
}
