/** GazeLT's student beside PyTorch: five of the stored steps; `npm run test:long -- --only student` runs all twenty. */
import t from 'tap';
import { oneThread } from '../support/tiny.js';
import { reference, studentSteps, worstOf, worstRelative } from './student-steps.js';

t.test('five steps in float64 are those of PyTorch to 1e-6', async (t) => {
  await oneThread;
  t.equal(reference.losses.length, 20);
  const ours = await studentSteps(5, 'float64');
  const losses = worstRelative(ours.losses, reference.losses);
  t.ok(ours.losses.length === 5 && losses < 1e-6, `objective: ${losses}`);
  const terms = worstRelative(ours.distillation, reference.distillation);
  t.ok(terms < 1e-6, `distillation: ${terms}`);
  const norms = worstOf(ours.gradientNorms, reference.gradientNorms);
  t.ok(norms < 1e-6, `norms of the first gradients: ${norms}`);
  const state = Object.entries(reference.state['5'] ?? {});
  t.ok(state.length > 10);
  for (const [key, values] of state) {
    const worst = worstOf(ours.state[key] ?? {}, values);
    t.ok(worst < 1e-6, `${key}: ${worst}`);
  }
});

t.test('the first step in float32 is that of PyTorch to 1e-4', async (t) => {
  await oneThread;
  const ours = await studentSteps(1, 'float32');
  const loss = worstRelative(ours.losses, reference.losses);
  t.ok(loss < 1e-4, `objective: ${loss}`);
  const term = worstRelative(ours.distillation, reference.distillation);
  t.ok(term < 1e-4, `distillation: ${term}`);
});
