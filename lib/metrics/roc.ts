import { integer, knownKeys } from '../validate.js';
import type { RankedScores } from './auroc.js';
import { meanDefined, rankAllClasses, rankedAuroc } from './auroc.js';
import type { PredictionSet } from './predictions.js';
import { checkPredictions } from './predictions.js';
import type { BootstrapOptions } from './resample.js';
import { bootstrapSettings, percentileInterval, resampleWeights, resamplingUnits } from './resample.js';

/** One class's ROC curve, read off at evenly spaced false-positive rates. */
export interface RocCurve {
  /** Class name, or `macro average`. */
  readonly name: string;
  /** Index of the class; `null` for the average. */
  readonly index: number | null;
  /** Area under the exact curve (not under this sampling of it). */
  readonly auroc: number;
  /** False-positive rates from 0 to 1. */
  readonly fpr: readonly number[];
  /** True-positive rate at each of them: the highest where the curve is vertical. */
  readonly tpr: readonly number[];
  /** Bootstrap band around {@link RocCurve.tpr}, pointwise; `null` where it was not asked for or is undefined. */
  readonly band: {
    /** Lower end at each false-positive rate. */
    readonly low: readonly number[];
    /** Upper end at each false-positive rate. */
    readonly high: readonly number[];
  } | null;
}

/** Options of {@link rocCurves}. */
export interface RocOptions extends PredictionSet {
  /** Patient of each image `[N]`; images of a patient are resampled together. */
  readonly patients?: readonly (string | number)[];
  /** Bands around the curves. Default none. */
  readonly bootstrap?: BootstrapOptions | boolean;
  /** Number of false-positive rates. Default 101. */
  readonly points?: number;
}

/**
 * ROC curves of the classes that are defined (both sides are in the truth), in class order, and their average at equal
 * false-positive rate in the end.
 */
export function rocCurves(options: RocOptions): RocCurve[] {
  knownKeys('options', options, ['probabilities', 'labels', 'classes', 'patients', 'bootstrap', 'points']);
  checkPredictions(options);
  const { probabilities, labels, classes } = options;
  const points = integer('points', options.points ?? 101, { min: 2, max: 10_001 });
  const settings = bootstrapSettings(options.bootstrap);
  const units = resamplingUnits(labels.length, options.patients);
  const fpr = Array.from({ length: points }, (_, g) => g / (points - 1));
  const ranked = rankAllClasses(probabilities, labels, classes.length);
  const once = new Uint32Array(labels.length).fill(1);

  const areas = ranked.map((scores) => rankedAuroc(scores, once));
  const defined = areas.flatMap((area, k) => (Number.isNaN(area) ? [] : [k]));
  const rows = (weights: Uint32Array): Float64Array[] => {
    const curves = defined.map((k) => rocAt(ranked[k] as RankedScores, weights, fpr));
    return [...curves, meanCurve(curves, points)];
  };
  const curves = rows(once);
  const bands: RocCurve['band'][] = curves.map(() => null);
  if (settings !== null) {
    const drawn: Float64Array[][] = [];
    for (const weights of resampleWeights(units, settings)) drawn.push(rows(weights));
    curves.forEach((_, c) => {
      bands[c] = pointwiseBand(
        drawn.map((resample) => resample[c] as Float64Array),
        points,
        settings.level,
      );
    });
  }
  return curves
    .map((tpr, c) => {
      const index = defined[c] ?? null;
      return {
        name: index === null ? 'macro average' : (classes[index] as string),
        index,
        auroc: index === null ? meanDefined(areas) : (areas[index] as number),
        fpr,
        tpr: Array.from(tpr),
        band: bands[c] ?? null,
      };
    })
    .filter((curve) => !Number.isNaN(curve.auroc));
}

/** True-positive rates at ascending false-positive rates; all NaN where a side is empty. */
function rocAt(ranked: RankedScores, weights: Uint32Array, fpr: readonly number[]): Float64Array {
  const out = new Float64Array(fpr.length);
  let positives = 0;
  let negatives = 0;
  for (let i = 0; i < ranked.length; i++) {
    const entry = ranked[i] as number;
    if ((entry & 2) !== 0) positives += weights[entry >>> 2] as number;
    else negatives += weights[entry >>> 2] as number;
  }
  if (positives === 0 || negatives === 0) return out.fill(Number.NaN);

  let g = 0;
  let [fp, tp, nextFp, nextTp] = [0, 0, 0, 0];
  const advance = () => {
    // A grid point before the new vertex lies on the segment between the two; one on it waits for a higher vertex.
    for (; g < out.length && (fpr[g] as number) * negatives < nextFp; g++) {
      const share = ((fpr[g] as number) * negatives - fp) / (nextFp - fp);
      out[g] = (tp + (nextTp - tp) * share) / positives;
    }
    fp = nextFp;
    tp = nextTp;
  };
  for (let i = ranked.length - 1; i >= 0; i--) {
    const entry = ranked[i] as number;
    if ((entry & 1) !== 0) advance();
    if ((entry & 2) !== 0) nextTp += weights[entry >>> 2] as number;
    else nextFp += weights[entry >>> 2] as number;
  }
  advance();
  return out.fill(1, g);
}

function meanCurve(curves: readonly Float64Array[], points: number): Float64Array {
  return Float64Array.from({ length: points }, (_, g) =>
    meanDefined(curves.map((curve) => curve[g] as number)),
  );
}

function pointwiseBand(curves: readonly Float64Array[], points: number, level: number): RocCurve['band'] {
  const low: number[] = [];
  const high: number[] = [];
  for (let g = 0; g < points; g++) {
    const interval = percentileInterval(
      Float64Array.from(curves, (curve) => curve[g] as number),
      level,
    );
    if (interval === null) return null;
    low.push(interval.low);
    high.push(interval.high);
  }
  return { low, high };
}
