import type { BootstrapSettings, ResamplingUnits } from './resample.js';
import { percentileInterval, resampleWeights } from './resample.js';
import type { PreparedPredictions, WeightedScores } from './scores.js';
import { weightedScores } from './scores.js';
import type { BootstrapIntervals, Interval } from './types.js';

/**
 * Bootstrap intervals of every number (percentile method). Patients are drawn with replacement, as many as there are;
 * a class that a resample happens to miss is undefined there and left out of its own interval.
 */
export function bootstrapIntervals(
  prepared: PreparedPredictions,
  units: ResamplingUnits,
  settings: BootstrapSettings,
): BootstrapIntervals {
  const draws = new Draws(settings.resamples, settings.level);
  let r = 0;
  for (const weights of resampleWeights(units, settings))
    record(draws, r++, weightedScores(prepared, weights));
  return {
    unit: units.unit,
    units: units.units,
    resamples: settings.resamples,
    seed: settings.seed,
    level: settings.level,
    accuracy: draws.interval('accuracy'),
    balancedAccuracy: draws.interval('balancedAccuracy'),
    mcc: draws.interval('mcc'),
    macroF1: draws.interval('macroF1'),
    auroc: draws.interval('auroc'),
    logLoss: draws.interval('logLoss'),
    ece: draws.interval('ece'),
    groups:
      prepared.groups === null
        ? null
        : { head: draws.interval('head'), medium: draws.interval('medium'), tail: draws.interval('tail') },
    averageOfGroups: draws.interval('averageOfGroups'),
    perClass: Array.from({ length: prepared.classes }, (_, k) => ({
      accuracy: draws.interval(`accuracy/${k}`),
      precision: draws.interval(`precision/${k}`),
      f1: draws.interval(`f1/${k}`),
      auroc: draws.interval(`auroc/${k}`),
    })),
  };
}

/** @internal One row of values for each number, filled resample by resample; NaN stands for undefined. */
export class Draws {
  readonly #rows = new Map<string, Float64Array>();
  readonly #resamples: number;
  readonly #level: number;

  constructor(resamples: number, level: number) {
    this.#resamples = resamples;
    this.#level = level;
  }

  set(name: string, resample: number, value: number): void {
    let row = this.#rows.get(name);
    if (row === undefined) {
      row = new Float64Array(this.#resamples).fill(Number.NaN);
      this.#rows.set(name, row);
    }
    row[resample] = value;
  }

  interval(name: string): Interval | null {
    const row = this.#rows.get(name);
    return row === undefined ? null : percentileInterval(row, this.#level);
  }
}

function record(draws: Draws, r: number, scores: WeightedScores): void {
  for (const name of ['accuracy', 'balancedAccuracy', 'mcc', 'macroF1', 'auroc', 'logLoss', 'ece'] as const) {
    draws.set(name, r, scores[name]);
  }
  if (scores.groupAccuracy !== null) {
    for (const [name, value] of Object.entries(scores.groupAccuracy)) draws.set(name, r, value);
    draws.set('averageOfGroups', r, scores.averageOfGroups);
  }
  for (let k = 0; k < scores.support.length; k++) {
    const inTruth = (scores.support[k] as number) > 0;
    const seen = inTruth || (scores.predicted[k] as number) > 0;
    if (inTruth) draws.set(`accuracy/${k}`, r, scores.recall[k] as number);
    if (seen) draws.set(`precision/${k}`, r, scores.precision[k] as number);
    if (seen) draws.set(`f1/${k}`, r, scores.f1[k] as number);
    draws.set(`auroc/${k}`, r, scores.classAuroc[k] as number);
  }
}
