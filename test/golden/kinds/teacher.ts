import { createTeacher, type TeacherBranch, type TeacherNetwork } from '../../../lib/models/teacher.js';
import { noGrad } from '../../../lib/tensor/context.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { choice } from '../case.js';
import type { Kind } from '../kind.js';
import { actual, tensorOf } from '../tensors.js';
import { fillModel, weightsPrefix } from './student-model.js';

type Bag = Readonly<Record<string, unknown>>;

/** A new teacher of the case's branch, in its mode, with random weights. */
export function goldenTeacher(config: Bag): TeacherNetwork {
  const branch = choice<TeacherBranch>('branch', config.branch, ['global', 'focal']);
  const teacher = createTeacher({ branch });
  return choice('mode', config.mode, ['train', 'eval']) === 'train' ? teacher.train() : teacher.eval();
}

/** One forward pass of a teacher with filled weights: everything it gives, and the levels of its encoder. */
export const teacherKind: Kind = {
  config: ['branch', 'mode', 'weights'],
  inputs: ['x'],
  run: ({ config, inputs }) =>
    tidy(async () => {
      using teacher = goldenTeacher(config);
      await fillModel(teacher, weightsPrefix(config.weights));
      const names = (await teacher.tapNames()).taps;
      const x = tensorOf('x', inputs.x);
      const { embedding, taps } = noGrad(() => teacher.forwardWithTaps(x, names));
      const outputs: Record<string, unknown> = {};
      for (const [name, value] of Object.entries(taps)) outputs[name] = await actual(value);
      const vectors = await actual(embedding);
      // The original squeezes a batch of one away.
      const shape = vectors.shape[0] === 1 ? [64] : vectors.shape;
      return { ...outputs, embedding: { ...vectors, shape } };
    }),
};
