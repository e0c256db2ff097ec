import t from 'tap';
import type { LocAttentionScores } from '../../lib/systems/loc-attention/scoring.js';
import { locAttentionScoring, selectionGoal } from '../../lib/systems/loc-attention/scoring.js';
import {
  type AttentionSettings,
  type AttentionTermOptions,
  attentionSettings,
} from '../../lib/systems/loc-attention/settings.js';

t.test('defaults of each form of the term', (t) => {
  const common = { adaptive: false, threshold: 0.3, tau: 0.1, penaliseOutside: 0 };
  const usual = { ...common, activations: 'before_relu', select: 'accuracy' };
  const rows: [AttentionTermOptions, Partial<AttentionSettings>][] = [
    [{ lambda: 0.5 }, { attention: 'published', camClass: 'predicted', follow: 'loss', lambda: 0.5 }],
    [
      { attention: 'differentiable', lambda: 0.5 },
      { attention: 'differentiable', camClass: 'label', follow: 'crossEntropy' },
    ],
    [{ attention: 'differentiable', lambda: 0.5, follow: 'loss' }, { follow: 'loss' }],
    [
      { lambda: 0.5, validationAttention: false },
      { follow: 'crossEntropy', validationAttention: false },
    ],
    [
      { lambda: 0.5, follow: 'crossEntropy', camClass: 'label' },
      { follow: 'crossEntropy', camClass: 'label' },
    ],
  ];
  for (const [given, expected] of rows)
    t.match(attentionSettings(given), { ...usual, ...expected }, JSON.stringify(given));
  t.match(attentionSettings({ adaptive: true, lambda: 0.5 }), { adaptive: true, lambda: null });
  t.match(attentionSettings({ attention: 'none' }), { attention: 'none', lambda: null });
  t.end();
});

t.test('the best epoch and the rate go by the numbers that the settings name', (t) => {
  const validated = { loss: 3, crossEntropy: 2, accuracy: 0.5, auroc: null } as LocAttentionScores;
  const chosen = (given: AttentionTermOptions) => {
    const settings = attentionSettings({ lambda: 0.5, ...given });
    const { select, follow } = locAttentionScoring(settings);
    return [select(validated), follow?.(validated), selectionGoal(settings)];
  };
  t.same(chosen({}), [0.5, 3, 'highest']);
  t.same(chosen({ attention: 'differentiable' }), [0.5, 2, 'highest']);
  t.same(chosen({ select: 'crossEntropy', follow: 'crossEntropy' }), [2, 2, 'lowest']);
  t.same(chosen({ select: 'loss' }), [3, 3, 'lowest']);
  t.same(chosen({ select: 'auroc' }), [0, 3, 'highest'], 'an epoch without an AUROC is never the best');
  t.end();
});
