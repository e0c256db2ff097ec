import fc from 'fast-check';
import type { Rows } from '../reference/metrics/reference-metrics.js';

/** Predictions in the form of the library. */
export interface Flat {
  readonly probabilities: Float64Array;
  readonly labels: Int32Array;
  readonly classes: string[];
}

/** The same predictions for the library and for its twins. */
export interface Both {
  readonly rows: Rows;
  readonly flat: Flat;
}

/** Turns rows of positive weights into probabilities, for both sides. */
export function both(weights: readonly (readonly number[])[], labels: readonly number[]): Both {
  const classes = (weights[0] as readonly number[]).length;
  const probabilities = weights.map((row) => {
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((w) => w / sum);
  });
  return {
    rows: { probabilities, labels, classes },
    flat: {
      probabilities: Float64Array.from(probabilities.flat()),
      labels: Int32Array.from(labels),
      classes: Array.from({ length: classes }, (_, k) => `class ${k}`),
    },
  };
}

/**
 * Any small set of predictions. Weights are small integers, so that ties are common, and labels are free, so that
 * classes are often missing.
 */
export const anyPredictions: fc.Arbitrary<Both> = fc
  .record({ classes: fc.integer({ min: 2, max: 5 }), samples: fc.integer({ min: 1, max: 24 }) })
  .chain(({ classes, samples }) =>
    fc.record({
      weights: fc.array(
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: classes, maxLength: classes }),
        {
          minLength: samples,
          maxLength: samples,
        },
      ),
      labels: fc.array(fc.integer({ min: 0, max: classes - 1 }), { minLength: samples, maxLength: samples }),
    }),
  )
  .map(({ weights, labels }) => both(weights, labels));

/** Equal up to rounding in float64, and NaN equal to NaN or null. */
export function near(a: number | null, b: number, tolerance = 1e-12): boolean {
  if (a === null || Number.isNaN(a)) return Number.isNaN(b);
  return Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b));
}

/** A small deterministic stream of numbers in [0, 1) for made-up data. */
export function stream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Made-up predictions of a long-tailed task: class k is about half as frequent as class k - 1. */
export function madeUp(samples: number, classes: number, strength: number, seed = 1): Both {
  const next = stream(seed);
  const labels = Array.from({ length: samples }, (_, i) =>
    i < classes ? i : Math.min(classes - 1, Math.floor(-Math.log2(1 - next()))),
  );
  return both(
    labels.map((label) =>
      Array.from({ length: classes }, (_, k) => Math.exp(2 * next() + (k === label ? strength : 0))),
    ),
    labels,
  );
}
