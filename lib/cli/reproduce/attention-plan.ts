/** The runs of loc-attention's tables: which there are, and how each is called. */
import { diagnosticFigures } from '../../metrics/diagnostic-figures.js';
import type { Architecture } from '../../models/model.js';
import { attentionRunName, crossEntropyRunName } from '../../report/loc-attention-name.js';

/** A weight of cross-entropy: a share, or the one that falls from epoch to epoch. */
export type Lambda = number | 'adaptive';

/** What is asked for. */
export interface AttentionGrid {
  /** Name of the data set. */
  readonly dataset: string;
  /** Name of the task. */
  readonly task: string;
  readonly backbones: readonly Architecture[];
  readonly lambdas: readonly Lambda[];
  readonly thresholds: readonly number[];
  readonly seeds: readonly number[];
  readonly attention: 'published' | 'differentiable';
  readonly tau: number;
  readonly penaliseOutside: number;
}

/** One training. */
export interface AttentionRun {
  /** As messages and tables have it; the folder's name has no seed, which is that of the folder around it. */
  readonly name: string;
  readonly backbone: Architecture;
  readonly lambda: Lambda;
  /** t; `null` for λ = 1, whose loss has no attention term. */
  readonly threshold: number | null;
  readonly seed: number;
}

/**
 * All runs, in the order in which they are done: seed after seed, so that a table is soon whole. With λ = 1 there is one run
 * for all thresholds.
 */
export function attentionRuns(grid: AttentionGrid): AttentionRun[] {
  const { backbones, lambdas, thresholds, seeds } = grid;
  return seeds.flatMap((seed) =>
    backbones.flatMap((backbone) =>
      lambdas.flatMap((lambda) =>
        (lambda === 1 ? [null] : thresholds).map((threshold) => {
          const run = { backbone, lambda, threshold, seed };
          return { name: `${stemOf(run, grid)}_seed${seed}`, ...run };
        }),
      ),
    ),
  );
}

function stemOf(
  { backbone, lambda, threshold }: Omit<AttentionRun, 'name'>,
  { dataset, task, attention, tau, penaliseOutside }: AttentionGrid,
): string {
  const common = { backbone, dataset, task };
  if (threshold === null) return crossEntropyRunName(common);
  return attentionRunName({
    ...{ ...common, threshold, attention, tau, penaliseOutside },
    ...(lambda === 'adaptive' ? { adaptive: true } : { lambda }),
  });
}

/** Predictions of a run on one split, as its `run.json` has them. */
export interface StoredPredictions {
  readonly classes: readonly string[];
  readonly labels: readonly number[];
  /** Patients, where every one is known. */
  readonly patients: readonly string[] | null;
  /** `[N, C]`, row-major. */
  readonly probabilities: readonly number[];
}

/** A run that is done. */
export interface FinishedRun {
  readonly run: AttentionRun;
  readonly validation: StoredPredictions;
  readonly test: StoredPredictions;
  /** Name of the run whose training served, where another t would have made no difference; absent for one of its own. */
  readonly trainedAs?: string;
}

/** The predictions of one setting of λ and t, seed by seed. */
export interface Setting {
  readonly lambda: Lambda;
  readonly threshold: number | null;
  readonly runs: readonly FinishedRun[];
}

/** Predictions as the metrics take them. */
export function predictionSet({ classes, labels, probabilities }: StoredPredictions) {
  return { classes, labels: Int32Array.from(labels), probabilities: Float64Array.from(probabilities) };
}

/** Settings of which every seed is done. */
export function wholeSettings(runs: readonly FinishedRun[], seeds: readonly number[]): Setting[] {
  const settings = new Map<string, FinishedRun[]>();
  for (const one of runs) {
    const key = `${one.run.lambda} ${one.run.threshold}`;
    settings.set(key, [...(settings.get(key) ?? []), one]);
  }
  return [...settings.values()]
    .filter((of) => seeds.every((seed) => of.some(({ run }) => run.seed === seed)))
    .map((of) => {
      const { lambda, threshold } = (of[0] as FinishedRun).run;
      return { lambda, threshold, runs: of };
    });
}

/** The first of the settings with the highest mean macro F1 on a split: by F1 the published search chose, too. */
export function bestSetting(settings: readonly Setting[], split: 'validation' | 'test'): Setting | undefined {
  let best: { readonly setting: Setting; readonly f1: number } | undefined;
  for (const setting of settings) {
    const f1 = diagnosticFigures(setting.runs.map((one) => predictionSet(one[split]))).f1.value ?? 0;
    if (best === undefined || f1 > best.f1) best = { setting, f1 };
  }
  return best?.setting;
}
