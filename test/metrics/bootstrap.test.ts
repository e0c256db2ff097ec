import fc from 'fast-check';
import t from 'tap';
import { evaluatePredictions } from '../../lib/metrics/evaluate.js';
import { bootstrapSettings, quantile, resampleWeights, resamplingUnits } from '../../lib/metrics/resample.js';
import { rocCurves } from '../../lib/metrics/roc.js';
import { preparePredictions, weightedScores } from '../../lib/metrics/scores.js';
import * as twin from '../reference/metrics/reference-metrics.js';
import { anyPredictions, both, madeUp, near, stream } from './support.js';

t.test('counting an image w times is the same as having it w times', async () => {
  fc.assert(
    fc.property(
      anyPredictions,
      fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
      ({ rows, flat }, draws) => {
        const weights = Uint32Array.from(rows.labels, () => draws.next().value as number);
        weights[0] = Math.max(1, weights[0] as number);
        const ours = weightedScores(preparePredictions(flat, 15, null), weights);
        const theirs = twin.repeated(rows, weights);
        return (
          near(ours.balancedAccuracy, twin.balancedAccuracy(theirs)) &&
          near(ours.mcc, twin.mcc(theirs), 1e-9) &&
          near(ours.macroF1, twin.macroF1(theirs)) &&
          near(ours.ece, twin.ece(theirs, 15)) &&
          near(ours.logLoss, twin.logLoss(theirs)) &&
          Array.from(ours.classAuroc).every((area, k) => near(area, twin.classAuroc(theirs, k)))
        );
      },
    ),
    { numRuns: 200 },
  );
});

const { flat } = madeUp(400, 4, 1.2);
const patients = Array.from(flat.labels, (_, i) => `p${i >> 2}`);

t.test('the same seed gives the same intervals, another seed others', async (t) => {
  const run = (seed: number) =>
    evaluatePredictions({ ...flat, patients, bootstrap: { resamples: 100, seed } }).intervals;
  t.strictSame(run(7), run(7));
  t.notSame(run(7)?.mcc, run(8)?.mcc);
});

t.test('intervals surround their numbers, and are narrower at a lower level', async (t) => {
  const m = evaluatePredictions({ ...flat, patients, bootstrap: { resamples: 400 } });
  const half = evaluatePredictions({ ...flat, patients, bootstrap: { resamples: 400, level: 0.5 } });
  for (const name of ['accuracy', 'balancedAccuracy', 'mcc', 'macroF1', 'auroc', 'logLoss'] as const) {
    const interval = m.intervals?.[name];
    const value = m[name] as number;
    t.ok(
      interval && interval.low < value && value < interval.high,
      `${name} ${value} in ${JSON.stringify(interval)}`,
    );
    const narrow = half.intervals?.[name];
    t.ok(
      narrow && interval && narrow.high - narrow.low < interval.high - interval.low,
      `${name} narrower at 50 %`,
    );
  }
  t.match(m.intervals, { unit: 'patient', units: 100, resamples: 400, seed: 0, level: 0.95 });
});

t.test('the width of the accuracy interval is that of the normal approximation', async (t) => {
  const m = evaluatePredictions({ ...flat, bootstrap: { resamples: 2000 } });
  const interval = m.intervals?.accuracy;
  const expected = 2 * 1.96 * Math.sqrt((m.accuracy * (1 - m.accuracy)) / 400);
  const width = (interval?.high ?? 0) - (interval?.low ?? 0);
  t.ok(Math.abs(width / expected - 1) < 0.1, `${width} is about ${expected}`);
  t.equal(m.intervals?.unit, 'image');
  t.match(m.notices, [{ code: 'bootstrap-by-image' }]);
});

t.test('images of a patient are drawn together', async (t) => {
  const units = resamplingUnits(6, ['a', 'b', 'a', 'c', 'b', 'a']);
  t.equal(units.units, 3);
  const settings = bootstrapSettings({ resamples: 50 });
  let drawn = 0;
  for (const weights of resampleWeights(units, settings as NonNullable<typeof settings>)) {
    t.strictSame([weights[0], weights[1]], [weights[2], weights[4]]);
    t.equal(weights[0], weights[5]);
    drawn += (weights[0] as number) + (weights[1] as number) + (weights[3] as number);
  }
  t.equal(drawn, 150, 'as many patients as there are');
});

t.test('images that repeat each other widen the interval by patient, not by image', async (t) => {
  // Every patient has 8 equal images: the effective number of images is an eighth.
  const next = stream(3);
  const weights: number[][] = [];
  const labels: number[] = [];
  const owners: number[] = [];
  for (let p = 0; p < 60; p++) {
    const row = [1 + 4 * next(), 1 + 4 * next()];
    for (let copy = 0; copy < 8; copy++) {
      weights.push(row);
      labels.push(p % 2);
      owners.push(p);
    }
  }
  const set = both(weights, labels).flat;
  const width = (extra: object) => {
    const i = evaluatePredictions({ ...set, ...extra, bootstrap: { resamples: 500 } }).intervals?.accuracy;
    return (i?.high ?? 0) - (i?.low ?? 0);
  };
  const ratio = width({ patients: owners }) / width({});
  t.ok(ratio > 2.2 && ratio < 3.6, `${ratio} is about the square root of 8`);
});

t.test('one patient: every resample is the whole', async (t) => {
  const patients = Array.from(flat.labels, () => 'x');
  const m = evaluatePredictions({ ...flat, patients, bootstrap: { resamples: 20 } });
  t.equal(m.intervals?.units, 1);
  t.strictSame(m.intervals?.accuracy, { low: m.accuracy, high: m.accuracy });
  t.strictSame(m.intervals?.auroc, { low: m.auroc, high: m.auroc });
});

t.test('a number that is undefined in most resamples has no interval, and that is said', async (t) => {
  // Each class belongs to one of two patients, and AUROC needs both, who are drawn together in half of the resamples.
  const pair = {
    ...both(
      [
        [7, 3],
        [6, 4],
        [3, 7],
      ],
      [0, 0, 1],
    ).flat,
    patients: ['p', 'p', 'q'],
  };
  const run = (seed: number) => evaluatePredictions({ ...pair, bootstrap: { resamples: 21, seed } });
  const [few, enough] = [run(0), run(1)];
  t.equal(few.intervals?.perClass[1]?.auroc, null);
  t.equal(few.intervals?.auroc, null);
  t.match(few.notices, [{ code: 'interval-undefined', message: /class 0, class 1/ }]);
  t.strictSame(enough.intervals?.perClass[1]?.auroc, { low: 1, high: 1 });
  t.strictSame(enough.notices, []);
});

t.test('quantile is linear between order statistics', async (t) => {
  const sorted = Float64Array.of(1, 2, 4, 8);
  t.equal(quantile(sorted, 0), 1);
  t.equal(quantile(sorted, 1), 8);
  t.equal(quantile(sorted, 0.5), 3);
  t.equal(quantile(sorted, 0.1), 1.3);
  t.equal(quantile(Float64Array.of(5), 0.025), 5);
});

t.test('ROC curves equal the twin at every grid point', async () => {
  fc.assert(
    fc.property(anyPredictions, ({ rows, flat }) => {
      for (const curve of rocCurves({ ...flat, points: 13 })) {
        if (curve.index === null) continue;
        const k = curve.index;
        const scores = rows.probabilities.map((row) => row[k] as number);
        const positive = rows.labels.map((label) => label === k);
        curve.fpr.forEach((x, g) => {
          const theirs = twin.rocTpr(scores, positive, x);
          if (!near(curve.tpr[g] as number, theirs, 1e-9)) {
            throw new Error(`class ${k} at ${x}: ${curve.tpr[g]} against ${theirs}`);
          }
        });
        if (!near(curve.auroc, twin.classAuroc(rows, k))) throw new Error('area');
      }
      return true;
    }),
    { numRuns: 150 },
  );
});

t.test('ROC bands surround the curve, the average comes last', async (t) => {
  const curves = rocCurves({ ...flat, patients, bootstrap: { resamples: 60 }, points: 21 });
  t.equal(curves.length, 5);
  t.equal(curves[4]?.name, 'macro average');
  t.equal(curves[4]?.index, null);
  for (const curve of curves) {
    t.equal(curve.tpr[20], 1);
    t.ok(
      curve.tpr.every((y, g) => g === 0 || y >= (curve.tpr[g - 1] as number) - 1e-12),
      'never falls',
    );
    const band = curve.band;
    t.ok(band, 'has a band');
    const inside = curve.tpr.filter(
      (y, g) => y >= (band?.low[g] ?? 2) - 1e-9 && y <= (band?.high[g] ?? -1) + 1e-9,
    );
    t.ok(inside.length >= 19, `${inside.length} of 21 points inside the band`);
  }
});

t.test('no curve where no class has both sides', async (t) => {
  t.strictSame(
    rocCurves(
      both(
        [
          [3, 1],
          [2, 1],
        ],
        [0, 0],
      ).flat,
    ),
    [],
  );
});
