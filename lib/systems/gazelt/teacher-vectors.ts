import { createHash } from 'node:crypto';
import type { Batch } from '../../data/batch.js';
import type { Dataset } from '../../data/dataset.js';
import type { TeacherNetwork } from '../../models/teacher.js';
import { noGrad } from '../../tensor/context.js';
import type { Tensor } from '../../tensor/tensor.js';
import { tidy } from '../../tensor/tidy.js';
import { toInputs } from '../../training/inputs.js';
import { resolvePrecision, withPrecision } from '../../training/precision.js';
import { type PassOptions, passOver } from '../classifier/passes.js';
import type { TeacherCard } from './teacher-card.js';
import { featureWidth } from './teacher-features.js';

/** What a pass over films needs of a teacher. */
export interface TeacherLike {
  /** The network. */
  readonly network: TeacherNetwork;
  /** What it is. */
  readonly card: TeacherCard;
  /** Where it computes. */
  readonly device: string;
}

/**
 * Calls `fn` with a batch's normalised films in evaluation mode, without a graph and under the pass's precision; the batch is
 * disposed. Call it in a `tidy` scope.
 */
export async function askTeacher<T>(
  { network, card, device }: TeacherLike,
  batch: Batch,
  choice: PassOptions['precision'],
  fn: (network: TeacherNetwork, images: Tensor) => T,
): Promise<T> {
  // A network that is being trained in float64 meanwhile takes nothing else.
  const wanted = await resolvePrecision(choice ?? 'float32', device);
  const precision = network.dtype === 'float64' ? 'float64' : wanted;
  const place = { epoch: 1, step: 0, normalisation: card.normalisation, precision, device };
  const { images } = toInputs(batch, place);
  return noGrad(() => withPrecision(precision, () => fn(network, images)));
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
  for await (const batch of passOver(teacher, dataset, options)) {
    const { ids } = batch;
    const vectors = await tidy(async () => {
      const embed = (network: TeacherNetwork, images: Tensor) => network.embed(images, { evaluation: true });
      const embedding = await askTeacher(teacher, batch, options.precision, embed);
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
export async function weightsHash(network: TeacherNetwork, part: 'block' | 'projection'): Promise<string> {
  return tidy(async () => {
    const hash = createHash('sha256');
    for (const [name, tensor] of await network.stateDict()) {
      if (isProjection(name) !== (part === 'projection')) continue;
      const { bytes, dtype, shape } = await tensor.bytes();
      hash.update(`${name} ${dtype} ${shape.join('x')}\n`).update(bytes);
    }
    return hash.digest('hex');
  });
}
