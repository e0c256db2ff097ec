import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { flag, integer, invalidArgument, knownKeys, number } from '../validate.js';
import type { Interval } from './types.js';

/** How bootstrap intervals are made. */
export interface BootstrapOptions {
  /** Number of resamples, at least 20. Default 1000. */
  readonly resamples?: number;
  /** Seed of the draws; the same seed gives the same intervals. Default 0. */
  readonly seed?: number;
  /** Share of the resamples inside an interval. Default 0.95. */
  readonly level?: number;
}

/** {@link BootstrapOptions} with every value there. */
export type BootstrapSettings = Required<BootstrapOptions>;

/** Checks the options and fills in defaults; `false` and `undefined` mean no bootstrap, `true` the defaults. */
export function bootstrapSettings(options: BootstrapOptions | boolean | undefined): BootstrapSettings | null {
  if (options === undefined || options === false) return null;
  if (options === true) return { resamples: 1000, seed: 0, level: 0.95 };
  if (typeof options !== 'object') flag('bootstrap', options);
  knownKeys('bootstrap', options, ['resamples', 'seed', 'level']);
  return {
    resamples: integer('bootstrap.resamples', options.resamples ?? 1000, { min: 20, max: 1_000_000 }),
    seed: integer('bootstrap.seed', options.seed ?? 0, { min: -(2 ** 31), max: 2 ** 32 - 1 }),
    level: number('bootstrap.level', options.level ?? 0.95, { above: 0, max: 0.9999 }),
  };
}

/** What is drawn with replacement: patients where they are known, else images. */
export type ResampledUnit = 'patient' | 'image';

/** What is drawn together: all images of a patient, or each image for itself. */
export interface ResamplingUnits {
  /** `patient` where patients are known. */
  readonly unit: ResampledUnit;
  /** Number of units. */
  readonly units: number;
  /** Unit of each image `[N]`. */
  readonly unitOf: Int32Array;
}

/** Images of one patient resemble each other, so they are drawn together (cluster bootstrap). */
export function resamplingUnits(
  samples: number,
  patients: readonly (string | number)[] | undefined,
): ResamplingUnits {
  if (patients === undefined) {
    return { unit: 'image', units: samples, unitOf: Int32Array.from({ length: samples }, (_, i) => i) };
  }
  if (!Array.isArray(patients) || patients.length !== samples) {
    throw invalidArgument('patients', `an array of ${samples} patient ids, one for each label`, patients);
  }
  const index = new Map<string | number, number>();
  const unitOf = new Int32Array(samples);
  patients.forEach((patient, i) => {
    if (typeof patient !== 'string' && typeof patient !== 'number') {
      throw invalidArgument(`patients[${i}]`, 'a string or a number', patient);
    }
    const unit = index.get(patient) ?? index.size;
    index.set(patient, unit);
    unitOf[i] = unit;
  });
  return { unit: 'patient', units: index.size, unitOf };
}

/**
 * Draws resamples one after the other. Each yields how often every image counts `[N]`; the array is reused, so it must
 * not be kept.
 */
export function* resampleWeights(
  { units, unitOf }: ResamplingUnits,
  { resamples, seed }: BootstrapSettings,
): Generator<Uint32Array> {
  const random = xoroshiro128plus(seed | 0);
  const drawn = new Uint32Array(units);
  const weights = new Uint32Array(unitOf.length);
  for (let r = 0; r < resamples; r++) {
    drawn.fill(0);
    for (let draw = 0; draw < units; draw++) {
      const unit = uniformInt(random, 0, units - 1);
      drawn[unit] = (drawn[unit] as number) + 1;
    }
    for (let i = 0; i < weights.length; i++) weights[i] = drawn[unitOf[i] as number] as number;
    yield weights;
  }
}

/**
 * Percentile interval of the values that are defined (not NaN), interpolated linearly between order statistics.
 *
 * @returns `null` where more than half of the values are undefined
 */
export function percentileInterval(values: Float64Array, level: number): Interval | null {
  const defined = values.filter((value) => !Number.isNaN(value)).sort();
  if (defined.length === 0 || defined.length * 2 < values.length) return null;
  return { low: quantile(defined, (1 - level) / 2), high: quantile(defined, (1 + level) / 2) };
}

/** Quantile of sorted values, linear between neighbours (NumPy's default). */
export function quantile(sorted: Float64Array, q: number): number {
  const at = (sorted.length - 1) * q;
  const below = Math.floor(at);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (high - low) * (at - below);
}
