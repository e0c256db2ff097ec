import { CxrGazeError } from '../../../lib/errors.js';
import { attentionLoss } from '../../../lib/losses/attention.js';
import { loadTeacherBlock, type TeacherNetwork } from '../../../lib/models/teacher.js';
import { tensor } from '../../../lib/tensor/create.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { fillState } from '../fill.js';
import type { Kind } from '../kind.js';
import { tensorOf } from '../tensors.js';
import { weightsPrefix } from './student-model.js';
import { goldenTeacher } from './teacher.js';

/** Attention loss of a block's four maps, and gradient norms of their sum by the block's own keys. */
export const teacherAttentionKind: Kind = {
  config: ['branch', 'mode', 'weights'],
  inputs: ['x', 'heat0', 'heat1', 'heat2', 'heat3'],
  run: ({ config, inputs }) =>
    tidy(async () => {
      using teacher = goldenTeacher(config);
      await loadFilled(teacher, weightsPrefix(config.weights));
      const parameters = await teacher.parameters();
      const losses = teacher
        .maps(tensorOf('x', inputs.x))
        .map((map, k) => attentionLoss(map, tensorOf('heat', inputs[`heat${k}`])));
      losses.reduce((sum, loss) => sum.add(loss)).backward();
      const data = await Promise.all(losses.map((loss) => loss.item()));
      const norms: Record<string, number | null> = {};
      for (const [name, parameter] of parameters) {
        if (name.startsWith(prefixOf(teacher)))
          norms[name.slice(prefixOf(teacher).length)] = await gradientNorm(parameter);
      }
      const without = Object.keys(norms).filter((name) => norms[name] === null);
      return {
        losses: { shape: [data.length], data },
        grad_norm: norms,
        without_gradient: without.sort(),
      };
    }),
};

const prefixOf = (teacher: TeacherNetwork): string => `${teacher.options.branch}_encoder_x.`;

/** Loads a block as its checkpoint would hold it, filled by the block's own keys. */
async function loadFilled(teacher: TeacherNetwork, prefix: string): Promise<void> {
  const block = new Map<string, Tensor>();
  for (const { name, tensor: own } of await teacher.state()) {
    if (!name.startsWith(prefixOf(teacher))) continue;
    const key = name.slice(prefixOf(teacher).length);
    const { shape } = await own.ready();
    block.set(
      key,
      key.endsWith('relative_position_index') ? own : tensor(fillState(prefix + key, shape), shape),
    );
  }
  await loadTeacherBlock(teacher, block);
}

/** `null` where backward has left none. */
async function gradientNorm(parameter: Tensor): Promise<number | null> {
  try {
    return await parameter.grad().norm().item();
  } catch (error) {
    if (error instanceof CxrGazeError && /run backward/.test(error.message)) return null;
    throw error;
  }
}
