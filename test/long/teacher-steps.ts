import { teacherBranches } from '../../lib/models/teacher.js';
import { teacherRun, teacherSteps } from '../support/teacher-steps.js';
import type { Check } from './check.js';

/** All steps of training that PyTorch's numbers are there for, to 1e-6 relative at every step. */
export async function allTeacherSteps(check: Check): Promise<void> {
  for (const branch of teacherBranches) {
    const expected = teacherRun(branch).losses;
    let worst = 0;
    const { worstWeight } = await teacherSteps(branch, expected.length, (step, loss) => {
      const want = expected[step] as number;
      worst = Math.max(worst, Math.abs(loss - want) / want);
    });
    check(
      worst <= 1e-6,
      `${branch}: ${expected.length} losses within ${worst.toExponential(1)} of PyTorch's`,
    );
    check(worstWeight <= 1e-2, `${branch}: weights within ${worstWeight.toExponential(1)} of a step`);
  }
}
