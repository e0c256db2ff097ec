/** Names and logs beyond the golden cases. */
import t from 'tap';
import { performanceLog } from '../../lib/report/loc-attention-log.js';
import { attentionRunName, crossEntropyRunName } from '../../lib/report/loc-attention-name.js';

t.test('names of what the original has not', async (t) => {
  const run = { backbone: 'pvt_v2_b2_li', dataset: 'nih', task: 'ne', lambda: 0.5, threshold: 0.1 };
  t.equal(attentionRunName(run), 'pvt_nih_ne_la0.5_t0.1');
  t.equal(attentionRunName({ backbone: 'vgg16', dataset: 'a', task: 'b' }), 'vgg_a_b_la_t0.3');
  const soft = { ...run, backbone: 'resnet18', attention: 'differentiable' } as const;
  t.equal(attentionRunName(soft), 'resnet18_nih_ne_la0.5_t0.1_soft');
  t.equal(
    attentionRunName({ ...soft, tau: 0.05, penaliseOutside: 1 }),
    'resnet18_nih_ne_la0.5_t0.1_soft_tau0.05_mu1.0',
  );
  t.equal(crossEntropyRunName({ backbone: 'resnet50', dataset: 'nih', task: 'nep' }), 'resnet_nih_nep_ce');
  const code = { code: 'ERR_INVALID_ARGUMENT' };
  t.throws(() => attentionRunName({ ...run, lambda: 1.5 }), code);
  t.throws(() => attentionRunName({ ...run, attention: 'differentable' as never }), /nearest: 'diff/);
  t.throws(() => attentionRunName({ ...run, lamda: 1 } as never), /did you mean 'lambda'/);
});

t.test("the baselines' logs", async (t) => {
  const set = {
    probabilities: Float64Array.of(0.9, 0.1, 0.4, 0.6),
    labels: Int32Array.of(0, 1),
    classes: ['No Finding', 'Effusion'],
  };
  const log = performanceLog({ minutes: 1.5, validation: set, test: set, diagnostics: false });
  t.match(log, /^Execution Time: 1\.5 minutes\n {14}precision {4}recall/);
  t.match(log, /\nAUC Score: 1\.0\n-{30}\nMetrics of unseen test data: \n {14}precision/);
  t.notMatch(log, /Threshold|Specificity|Effusion/);
  const own = performanceLog({ minutes: 2, validation: set, test: set, heading: 'Performances' });
  t.match(own, /^Execution Time: 2\.0 minutes/);
  t.match(own, /\nPerformances of unseen test data: \n/);
  t.match(own, /Best Threshold: 0\.6\nSpecificity: {2}1\.0\nFalse Discovery Rate \(FDR\): {2}0\.0\n/);
  // One class alone: what cannot be divided.
  const healthy = { ...set, labels: Int32Array.of(0, 0), probabilities: Float64Array.of(0.9, 0.1, 0.8, 0.2) };
  t.match(
    performanceLog({ minutes: 0, validation: healthy, test: healthy }),
    /AUC Score: nan\nBest Threshold: nan\nSpecificity: {2}1\.0\nFalse Discovery Rate \(FDR\): {2}nan\n/,
  );
  t.throws(() => performanceLog({ minutes: -1, validation: set, test: set }), /minutes/);
});
