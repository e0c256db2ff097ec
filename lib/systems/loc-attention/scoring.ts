import type { DataLoader } from '../../data/loader.js';
import type { EpochScores } from '../../metrics/epoch-scores.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { InputBatch } from '../../training/batch.js';
import { classificationScoring } from '../../training/classification-scoring.js';
import type { ScoreGoal } from '../../training/schedule.js';
import type { EpochScorer, ScorerState, Scoring } from '../../training/scoring.js';
import type { LocAttentionResult, MeasuredAttention } from './objective.js';
import type { AttentionSettings } from './settings.js';

/** What each half of an epoch tells; means are over samples, as loc-attention's originals have them. */
export interface LocAttentionScores extends EpochScores {
  /** Mean loss. */
  readonly loss: number;
  /** Mean cross-entropy. */
  readonly crossEntropy: number;
  /** Mean of a over all samples, those without a region counted as 0; `null` where it is not measured. */
  readonly attention: number | null;
  /** The same of o; `null` but in the differentiable form. */
  readonly outside: number | null;
  /** Share of right answers. */
  readonly accuracy: number;
  /** λ of the epoch. */
  readonly lambda: number;
  /** Samples whose region had no pixel, so that they contribute 0. */
  readonly emptyRegions: number;
  /** Mean of the published a at further thresholds, such as `attention@0.5`. */
  readonly [at: `attention@${number}`]: number | null;
}

/** Places of the sums in a scorer's state; those of further thresholds come after. */
const sumNames = [
  'images',
  'loss',
  'crossEntropy',
  'attention',
  'outside',
  'empty',
  'measured',
  'lambda',
] as const;
type SumName = (typeof sumNames)[number];

/** Sums as an epoch goes by, beside probabilities and labels. */
class LocAttentionScorer implements EpochScorer<LocAttentionResult, LocAttentionScores> {
  readonly #settings: AttentionSettings;
  readonly #classification: EpochScorer<LocAttentionResult, EpochScores>;
  readonly #sums: Float64Array;

  constructor(settings: AttentionSettings, loader: DataLoader, state: ScorerState) {
    this.#settings = settings;
    this.#classification = classificationScoring.begin(loader, state);
    const empty = new Float64Array(sumNames.length + settings.logThresholds.length);
    this.#sums = Float64Array.from(state.sums ?? empty);
  }

  async add(result: LocAttentionResult, batch: InputBatch): Promise<void> {
    const { attention, lambda } = result;
    // Everything is queued before anything is awaited.
    const classified = this.#classification.add(result, batch);
    const means = [result.loss.item(), result.crossEntropy.item()];
    const sums = attention
      ? parts(attention).map((values) => values?.sum().item() ?? Promise.resolve(0))
      : [];
    const [[loss = 0, crossEntropy = 0], [inside = 0, outside = 0, empty = 0, ...sweep]] = await Promise.all([
      Promise.all(means),
      Promise.all(sums),
      classified,
    ]);
    const images = batch.labelList.length;
    this.#add('images', images);
    this.#add('loss', loss * images);
    this.#add('crossEntropy', crossEntropy * images);
    this.#add('attention', inside);
    this.#add('outside', outside);
    this.#add('empty', empty);
    this.#add('measured', attention ? images : 0);
    this.#sums[sumNames.indexOf('lambda')] = lambda;
    for (const [i, value] of sweep.entries()) this.#addAt(sumNames.length + i, value);
  }

  #add(name: SumName, value: number): void {
    this.#addAt(sumNames.indexOf(name), value);
  }

  #addAt(at: number, value: number): void {
    this.#sums[at] = (this.#sums[at] as number) + value;
  }

  scores(): LocAttentionScores {
    const sum = (name: SumName) => this.#sums[sumNames.indexOf(name)] as number;
    const images = Math.max(1, sum('images'));
    const measured = sum('measured');
    const ofMeasured = (value: number) => (measured === 0 ? null : value / measured);
    const { attention: form, logThresholds } = this.#settings;
    const sweep = logThresholds.map((t, i) => [
      `attention@${t}`,
      ofMeasured(this.#sums[sumNames.length + i] as number),
    ]);
    return {
      ...this.#classification.scores(),
      loss: sum('loss') / images,
      crossEntropy: sum('crossEntropy') / images,
      attention: ofMeasured(sum('attention')),
      outside: form === 'differentiable' ? ofMeasured(sum('outside')) : null,
      accuracy: this.#accuracy(),
      lambda: sum('lambda'),
      emptyRegions: sum('empty'),
      ...Object.fromEntries(sweep),
    };
  }

  #accuracy(): number {
    const { probabilities = [], labels = [] } = this.#classification.state();
    const classes = probabilities.length / labels.length;
    let right = 0;
    for (const [i, label] of labels.entries()) {
      let best = 0;
      for (let c = 1; c < classes; c++)
        if ((probabilities[i * classes + c] as number) > (probabilities[i * classes + best] as number))
          best = c;
      if (best === label) right++;
    }
    return labels.length === 0 ? 0 : right / labels.length;
  }

  state(): ScorerState {
    return { ...this.#classification.state(), sums: this.#sums };
  }
}

// Whatever is summed: a, o, empty regions, and a at each further threshold.
function parts({ terms, sweep }: MeasuredAttention): (Tensor | undefined)[] {
  const { attention, empty } = terms;
  return [
    attention,
    'outside' in terms ? terms.outside : undefined,
    empty.to({ dtype: 'float32' }),
    ...sweep,
  ];
}

/** Whether more or less of the number by which the best epoch is chosen is better. */
export function selectionGoal({ select }: AttentionSettings): ScoreGoal {
  return select === 'loss' || select === 'crossEntropy' ? 'lowest' : 'highest';
}

/** How loc-attention scores its epochs; which epoch is the best, and what the rate follows, say the settings. */
export function locAttentionScoring(
  settings: AttentionSettings,
): Scoring<LocAttentionResult, LocAttentionScores> {
  return {
    begin: (loader, state = {}) => new LocAttentionScorer(settings, loader, state),
    // An epoch without an AUROC is never the best.
    select: (validated) => validated[settings.select] ?? 0,
    follow: (validated) => validated[settings.follow],
  };
}
