import { reference, studentSteps, worstOf, worstRelative } from '../training/student-steps.js';
import type { Check } from './check.js';

/** All stored steps of GazeLT's student in float64, beside PyTorch's. */
export async function allStudentSteps(check: Check): Promise<void> {
  const steps = reference.losses.length;
  const ours = await studentSteps(steps, 'float64');
  const losses = ours.losses.map((loss, i) => worstRelative([loss], [reference.losses[i] as number]));
  const worst = Math.max(...losses);
  check(
    worst < 1e-6,
    `${steps} steps of the student: the objective differs by at most ${worst.toExponential(1)}`,
  );
  for (const [key, values] of Object.entries(reference.state[String(steps)] ?? {})) {
    const differs = worstOf(ours.state[key] ?? {}, values);
    check(differs < 1e-6, `${key} after ${steps} steps: ${differs.toExponential(1)}`);
  }
}
