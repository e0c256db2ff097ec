import { DataLoader } from '../../data/loader.js';
import { type MaskPairs, requirePairs, somePairs } from '../../data/mask-pairs.js';
import { type PairFacts, type PairReport, pairReport } from '../../data/pair-survey.js';
import type { SkippedImage } from '../../data/prepare.js';
import { SequentialSampler } from '../../data/samplers.js';
import { CxrGazeError } from '../../errors.js';
import { tidy } from '../../tensor/tidy.js';
import { checkPass, type PassOptions } from '../classifier/passes.js';
import { maskTargets, type PreparedPairs, preparedPairs } from './segmenter-fit.js';
import { overlaps, type SegmenterScores } from './segmenter-objective.js';
import {
  evaluatedLogits,
  openSegmenterPass,
  type SegmenterLike,
  type SegmenterPass,
} from './segmenter-pass.js';

/** Options of `LungSegmenter.evaluate`. Under `onError: 'skip'` a bad image is left out; a bad mask ends the work still. */
export interface SegmenterEvaluateOptions extends PassOptions {
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
  /** Images left out under `onError: 'skip'`, with their masks. */
  readonly skipped: readonly SkippedImage[];
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

interface Opened {
  readonly segmenter: SegmenterLike;
  readonly pass: SegmenterPass;
}

/** What has been found so far. */
interface Seen {
  readonly each: SegmenterEvaluation['each'][number][];
  readonly facts: PairFacts[];
  readonly skipped: SkippedImage[];
}

async function evaluate(
  segmenter: SegmenterLike,
  pairs: MaskPairs,
  options: SegmenterEvaluateOptions,
): Promise<SegmenterEvaluation> {
  const seen: Seen = { each: [], facts: [], skipped: [] };
  const { each, facts, skipped } = seen;
  const { name, length: total } = pairs.images;
  using pass = await openSegmenterPass(segmenter, options.precision);
  for (let start = 0; start < total; start += chunk)
    await addChunk({ segmenter, pass }, pairs, start, options, seen);
  if (each.length === 0)
    throw new CxrGazeError('ERR_DATASET', `${name}: no image of ${total} can be used`, {
      cause: skipped[0]?.error,
    });
  const names = [...new Set(each.map(({ group }) => group))];
  const groups = names.map((group) => ({ group, ...meanOf(each.filter((one) => one.group === group)) }));
  return { name, ...meanOf(each), groups, each, skipped, report: pairReport(name, facts) };
}

function meanOf(scores: readonly SegmenterScores[]): OverlapScores {
  const mean = (of: (one: SegmenterScores) => number) =>
    scores.reduce((sum, one) => sum + of(one), 0) / scores.length;
  return { images: scores.length, dice: mean(({ dice }) => dice), iou: mean(({ iou }) => iou) };
}

/** Adds the scores of the pairs from `start`, at most `chunk` of them. */
async function addChunk(
  opened: Opened,
  pairs: MaskPairs,
  start: number,
  options: SegmenterEvaluateOptions,
  seen: Seen,
): Promise<void> {
  const owned: Disposable[] = [];
  const own = <T extends Disposable>(one: T): T => {
    owned.push(one);
    return one;
  };
  try {
    const { card } = opened.segmenter;
    const indices = Array.from({ length: Math.min(chunk, pairs.images.length - start) }, (_, i) => start + i);
    const prepared = await preparedPairs(card, somePairs(pairs, indices), preparationOf(options), own);
    seen.facts.push(...prepared.facts);
    for (const skipped of prepared.images.skipped) {
      const image = { ...skipped, index: indices[skipped.index] as number };
      seen.skipped.push(image);
      options.onSkip?.(image);
    }
    const kept = prepared.images.kept.map((place) => indices[place] as number);
    if (kept.length === 0) return;
    for await (const { places, ids, scores } of scored(opened, prepared, options)) {
      for (const [i, score] of scores.entries()) {
        const group = pairs.groups?.[kept[places[i] as number] as number] ?? 'all';
        seen.each.push({ id: ids[i] as string, group, ...score });
      }
      options.onProgress?.({ done: seen.each.length + seen.skipped.length, total: pairs.images.length });
    }
  } finally {
    for (const one of owned) one[Symbol.dispose]();
  }
}

async function* scored(
  { segmenter, pass }: Opened,
  { images, masks }: PreparedPairs,
  { batchSize = 4, signal }: SegmenterEvaluateOptions,
) {
  const sampler = new SequentialSampler({ length: images.dataset.length });
  const loader = new DataLoader({ images, sampler, batchSize });
  for await (using batch of loader.batches(1, signal ? { signal } : {})) {
    const { ids, indices: places } = batch;
    const scores = await tidy(async () => {
      const targets = await maskTargets(masks, places, segmenter.device);
      return overlaps(pass.ask(batch, evaluatedLogits), targets);
    });
    yield { places, ids, scores };
  }
}

function preparationOf({ cacheDir, signal, onError }: SegmenterEvaluateOptions) {
  return {
    // Of one chunk nothing may be left; whether anything is left at all is judged at the end.
    allowNone: true,
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(signal ? { signal } : {}),
    ...(onError === undefined ? {} : { onError }),
  };
}
