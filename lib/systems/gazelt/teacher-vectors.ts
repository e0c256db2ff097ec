import type { Dataset } from '../../data/dataset.js';
import { createTeacher, type TeacherNetwork } from '../../models/teacher.js';
import type { Tensor } from '../../tensor/tensor.js';
import { tidy } from '../../tensor/tidy.js';
import type { PrecisionChoice } from '../../training/precision.js';
import { type PassOptions, passOver } from '../classifier/passes.js';
import { PassNetwork, type SystemLike } from '../pass-network.js';
import { stateHash } from '../state-hash.js';
import type { TeacherCard } from './teacher-card.js';
import { featureWidth } from './teacher-features.js';

/** What a pass over films needs of a teacher. */
export interface TeacherLike extends SystemLike<TeacherNetwork> {
  readonly card: TeacherCard;
}

/** Opens a pass; in `float64` it computes with a copy of the weights. */
export function openTeacherPass(
  teacher: TeacherLike,
  choice: PrecisionChoice = 'float32',
): Promise<PassNetwork<TeacherNetwork>> {
  return PassNetwork.open(teacher, choice, ({ options }) => createTeacher(options));
}

/** The vectors of some films. */
export interface VectorBatch {
  /** Ids of the films. */
  readonly ids: readonly string[];
  /** Their vectors, `[B, 64]` row-major. */
  readonly vectors: Float32Array;
}

/**
 * The vectors of a data set's films, batch by batch in order, decoded in bounded memory. Evaluation mode, whatever mode the
 * network is in (gazelt F3).
 */
export async function* vectorsOver(
  teacher: TeacherLike,
  dataset: Dataset,
  options: PassOptions,
): AsyncGenerator<VectorBatch, void> {
  using pass = await openTeacherPass(teacher, options.precision);
  for await (const batch of passOver(teacher, dataset, options)) {
    const { ids } = batch;
    const vectors = await tidy(async () => {
      const embed = (network: TeacherNetwork, images: Tensor) => network.embed(images, { evaluation: true });
      const embedding = pass.ask(batch, embed);
      return (await embedding.to({ dtype: 'float32' }).data()) as Float32Array;
    });
    yield { ids, vectors };
  }
}

/** The vectors of all films of a data set, `[N, 64]`. */
export async function allVectors(
  teacher: TeacherLike,
  dataset: Dataset,
  options: PassOptions,
): Promise<Float32Array> {
  const all = new Float32Array(dataset.length * featureWidth);
  let done = 0;
  for await (const { ids, vectors } of vectorsOver(teacher, dataset, { ...options, onError: 'throw' })) {
    all.set(vectors, done * featureWidth);
    done += ids.length;
  }
  return all;
}

/** Keys of a teacher's projection to 64 numbers; all others are its block. */
export function isProjection(key: string): boolean {
  return /^(global|focal)_linear\./.test(key);
}

/**
 * A hash of a teacher's weights: names and bytes of all tensors of its block, or of its projection.
 *
 * @param network whose weights
 * @param part which of them
 * @returns SHA-256, hexadecimal
 */
export function weightsHash(network: TeacherNetwork, part: 'block' | 'projection'): Promise<string> {
  return stateHash(network, (name) => isProjection(name) === (part === 'projection'));
}
