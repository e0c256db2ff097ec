/**
 * loc-attention beside PyTorch: the first stored steps. `npm run test:long -- --only loc-attention` runs all, of both networks
 * and both forms, and compares the weights: five steps here would cost ten seconds.
 */
import t from 'tap';
import { oneThread } from '../support/tiny.js';
import { Beginning, courseOf, distanceOf } from './loc-attention-steps.js';

await oneThread;
t.setTimeout(600_000);

const cases = [
  ['published', 'resnet50'],
  ['differentiable', 'pvt_v2_b2_li'],
] as const;

for (const [form, network] of cases) {
  t.test(`the first ${form} steps of ${network} in float64 are those of PyTorch to 1e-6`, async (t) => {
    t.equal(courseOf(form, network).steps.length, form === 'published' ? 20 : 5);
    using beginning = await Beginning.of(network);
    const { steps, gradientNorms } = await distanceOf(beginning, form, network, 2);
    const worst = Math.max(...steps);
    t.ok(steps.length === 2 && worst < 1e-6, `loss and its parts: ${worst}`);
    t.ok(gradientNorms < 1e-6, `norms of the first gradients: ${gradientNorms}`);
  });
}
