import { distillationTerms } from '../../../lib/losses/distillation.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { tidy } from '../../../lib/tensor/tidy.js';
import { number } from '../case.js';
import type { Kind } from '../kind.js';
import { actual, tensorOf } from '../tensors.js';

/** Distillation from the focal and the global teacher's vectors. */
export const kdLossKind: Kind = {
  config: ['weight_focal', 'weight_global'],
  inputs: ['student', 'focal', 'global'],
  run: ({ config, inputs }) =>
    tidy(async () => {
      const student = tensorOf('student', inputs.student, { requiresGrad: true });
      const teachers = [tensorOf('focal', inputs.focal), tensorOf('global', inputs.global)];
      const shares = [
        number('weight_focal', config.weight_focal),
        number('weight_global', config.weight_global),
      ];
      const { loss, terms } = distillationTerms(student, teachers, { shares });
      loss.backward();
      return {
        loss: await actual(loss),
        focal_term: await actual(terms[0] as Tensor),
        global_term: await actual(terms[1] as Tensor),
        grad_student: await actual(student.grad()),
      };
    }),
};
