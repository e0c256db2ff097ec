import { DataLoader } from '../../data/loader.js';
import { type MaskPairs, requirePairs, somePairs } from '../../data/mask-pairs.js';
import { type PairFacts, type PairReport, pairReport } from '../../data/pair-survey.js';
import { SequentialSampler } from '../../data/samplers.js';
import { tidy } from '../../tensor/tidy.js';
import { checkPass, type PassOptions } from '../classifier/passes.js';
import { maskTargets, preparedPairs } from './segmenter-fit.js';
import { overlaps, type SegmenterScores } from './segmenter-objective.js';
import {
  evaluatedLogits,
  openSegmenterPass,
  type SegmenterLike,
  type SegmenterPass,
} from './segmenter-pass.js';

/** Options of `LungSegmenter.evaluate`. */
export interface SegmenterEvaluateOptions extends Omit<PassOptions, 'onError' | 'onSkip'> {
  /** Folder of prepared images; default: decoded into memory. */
  readonly cacheDir?: string;
}

/** Dice and intersection over union of some pairs. */
export interface OverlapScores extends SegmenterScores {
  /** Pairs compared. */
  readonly images: number;
}

/** How well a segmenter finds lungs. */
export interface SegmenterEvaluation extends OverlapScores {
  /** Name of the data set. */
  readonly name: string;
  /** The same for each group of the pairs by itself, such as each source; one entry where they have none. */
  readonly groups: readonly (OverlapScores & {
    /** Name of the group. */
    readonly group: string;
  })[];
  /** Each pair. */
  readonly each: readonly (SegmenterScores & {
    /** Id of the image. */
    readonly id: string;
    /** Its group. */
    readonly group: string;
  })[];
  /** What deserves a look: empty masks, masks of another size than their image. */
  readonly report: PairReport;
}

/** Pairs decoded at a time. */
const chunk = 128;

/** @internal Checks at once, evaluates later. */
export function evaluateSegmenter(
  segmenter: SegmenterLike,
  pairs: MaskPairs,
  options: SegmenterEvaluateOptions,
): Promise<SegmenterEvaluation> {
  checkPass(options, ['cacheDir']);
  requirePairs('pairs', pairs);
  return evaluate(segmenter, pairs, options);
}

async function evaluate(
  segmenter: SegmenterLike,
  pairs: MaskPairs,
  options: SegmenterEvaluateOptions,
): Promise<SegmenterEvaluation> {
  const each: { id: string; group: string; dice: number; iou: number }[] = [];
  const facts: PairFacts[] = [];
  const total = pairs.images.length;
  using pass = await openSegmenterPass(segmenter, options.precision);
  for (let start = 0; start < total; start += chunk) {
    const indices = Array.from({ length: Math.min(chunk, total - start) }, (_, i) => start + i);
    for await (const { ids, scores } of scored(
      { segmenter, pass },
      somePairs(pairs, indices),
      options,
      facts,
    )) {
      for (const [i, score] of scores.entries()) {
        const group = pairs.groups?.[each.length] ?? 'all';
        each.push({ id: ids[i] as string, group, ...score });
      }
      options.onProgress?.({ done: each.length, total });
    }
  }
  const names = [...new Set(each.map(({ group }) => group))];
  const groups = names.map((group) => ({ group, ...meanOf(each.filter((one) => one.group === group)) }));
  const { name } = pairs.images;
  return { name, ...meanOf(each), groups, each, report: pairReport(name, facts) };
}

function meanOf(scores: readonly SegmenterScores[]): OverlapScores {
  const mean = (of: (one: SegmenterScores) => number) =>
    scores.reduce((sum, one) => sum + of(one), 0) / scores.length;
  return { images: scores.length, dice: mean(({ dice }) => dice), iou: mean(({ iou }) => iou) };
}

async function* scored(
  { segmenter, pass }: { readonly segmenter: SegmenterLike; readonly pass: SegmenterPass },
  pairs: MaskPairs,
  options: SegmenterEvaluateOptions,
  facts: PairFacts[],
) {
  const { batchSize = 4, signal, cacheDir } = options;
  const owned: Disposable[] = [];
  const own = <T extends Disposable>(one: T): T => {
    owned.push(one);
    return one;
  };
  try {
    const common = { ...(cacheDir === undefined ? {} : { cacheDir }), ...(signal ? { signal } : {}) };
    const { images, masks, facts: seen } = await preparedPairs(segmenter.card, pairs, common, own);
    facts.push(...seen);
    const sampler = new SequentialSampler({ length: images.dataset.length });
    const loader = new DataLoader({ images, sampler, batchSize });
    for await (using batch of loader.batches(1, signal ? { signal } : {})) {
      const { ids, indices } = batch;
      const scores = await tidy(async () => {
        const targets = await maskTargets(masks, indices, segmenter.device);
        return overlaps(pass.ask(batch, evaluatedLogits), targets);
      });
      yield { ids, scores };
    }
  } finally {
    for (const one of owned) one[Symbol.dispose]();
  }
}
