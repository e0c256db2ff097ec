import t from 'tap';
import { teacherBranches } from '../../lib/models/teacher.js';
import { threads } from '../../lib/tensor/create.js';
import { firstLoss, teacherRun, teacherSteps } from '../support/teacher-steps.js';

await threads(1); // test files run side by side

/** `npm run test:long -- --only teachers` runs all 20. */
const steps = 5;

for (const branch of teacherBranches) {
  t.test(`steps of the ${branch} teacher in float64 are PyTorch's`, async (t) => {
    const expected = teacherRun(branch).losses;
    t.equal(expected.length, 20);
    const { losses, worstWeight } = await teacherSteps(branch, steps);
    for (const [step, loss] of losses.entries()) {
      const want = expected[step] as number;
      t.ok(Math.abs(loss - want) <= 1e-6 * want, `step ${step + 1}: ${loss} against ${want}`);
    }
    t.ok(worstWeight <= 1e-4, `weights are within ${worstWeight} of a step`);
  });

  t.test(`the first loss of the ${branch} teacher in float32 is PyTorch's`, async (t) => {
    const want = teacherRun(branch).firstFloat32;
    const loss = await firstLoss(branch, 'float32');
    t.ok(Math.abs(loss - want) <= 1e-4 * want, `${loss} against ${want}`);
  });
}
