import t, { type Test } from 'tap';
import {
  bestThreshold,
  diagnosticScores,
  discriminantPower,
  scoresAtThreshold,
} from '../../lib/metrics/diagnostic.js';
import { diagnosticFigures } from '../../lib/metrics/diagnostic-figures.js';
import { evaluatePredictions } from '../../lib/metrics/evaluate.js';
import type { PredictionSet } from '../../lib/metrics/predictions.js';
import { uniform } from '../golden/fill.js';

const close = (t: Test, ours: number | null, theirs: number, what: string) =>
  t.ok(ours !== null && Math.abs(ours - theirs) < 1e-12, `${what}: ${ours} beside ${theirs}`);

/** Predictions whose class 1 has the given scores. */
function binary(scores: readonly number[], labels: readonly number[]): PredictionSet {
  return {
    probabilities: Float64Array.from(scores.flatMap((score) => [1 - score, score])),
    labels: Int32Array.from(labels),
    classes: ['No Finding', 'Effusion'],
  };
}

t.test('two classes: of the second; several: mean over each against the rest', async (t) => {
  const two = diagnosticScores([
    [80, 20],
    [10, 90],
  ]);
  close(t, two.sensitivity, 0.9, 'sensitivity');
  close(t, two.specificity, 0.8, 'specificity');
  close(t, two.ppv, 90 / 110, 'ppv');
  close(t, two.falseDiscoveryRate, 20 / 110, 'fdr');
  close(t, two.falseOmissionRate, 10 / 90, 'for');
  close(t, two.youden, 0.7, 'youden');

  const matrix = [
    [5, 1, 0],
    [2, 3, 1],
    [0, 0, 4],
  ];
  const three = diagnosticScores(matrix);
  close(t, three.sensitivity, (5 / 6 + 3 / 6 + 1) / 3, 'mean of recalls');
  close(t, three.specificity, (8 / 10 + 9 / 10 + 11 / 12) / 3, 'mean of specificities');
  close(t, three.falseOmissionRate, (1 / 9 + 3 / 12 + 0) / 3, 'mean of false omission rates');
  const [a, b] = [discriminantPower(5 / 6, 0.8), discriminantPower(0.5, 0.9)];
  close(t, three.discriminantPower, ((a as number) + (b as number)) / 2, 'over the classes that have one');
});

t.test('discriminant power in base 10, as published', async (t) => {
  t.equal(discriminantPower(0.752, 0.882)?.toFixed(3), '0.747');
  t.equal(discriminantPower(0.861, 0.807)?.toFixed(3), '0.779');
  t.equal(discriminantPower(1, 0.5), null);
  t.equal(discriminantPower(0.5, 0), null);
  t.equal(discriminantPower(1, 0), null, 'the two infinities do not cancel out');
});

t.test('what is not defined is null', async (t) => {
  const none = diagnosticScores([
    [4, 0],
    [0, 0],
  ]);
  t.match(none, { sensitivity: null, specificity: 1, ppv: null, falseDiscoveryRate: null, youden: null });
  t.equal(none.falseOmissionRate, 0);
  for (const bad of [
    [],
    [[1]],
    [[1, 2]],
    [
      [1, 2],
      [3, -1],
    ],
    7,
  ])
    t.throws(() => diagnosticScores(bad as never), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test("Youden's threshold beside every cut tried by hand", async (t) => {
  for (const [seed, levels] of [
    ['a', 1000],
    ['b', 7],
    ['c', 3],
  ] as const) {
    const labels = Array.from(uniform(`${seed} labels`, 60), (u) => (u > 0.2 ? 1 : 0));
    // Few levels: many ties, which are never parted.
    const scores = Float64Array.from(uniform(`${seed} scores`, 60), (u, i) =>
      Math.round((u + (labels[i] as number) * 0.5) * levels),
    );
    const cut = (threshold: number) => {
      const share = (label: number) => {
        const of = Array.from(scores).filter((_, i) => labels[i] === label);
        return of.filter((score) => score >= threshold).length / of.length;
      };
      return share(1) - share(0);
    };
    const cuts = [...new Set(scores)].sort((x, y) => y - x);
    const top = Math.max(0, ...cuts.map(cut));
    const wanted = cuts.find((threshold) => cut(threshold) === top);
    const found = bestThreshold(scores, labels);
    t.equal(found?.threshold, wanted, seed);
    close(t, (found?.sensitivity as number) + (found?.specificity as number) - 1, top, seed);
    const { sensitivity, specificity, youden } = scoresAtThreshold(scores, labels, wanted as number);
    t.match(found, { sensitivity, specificity }, 'the same counted anew');
    close(t, youden, top, seed);
  }
  const backwards = bestThreshold(Float64Array.of(0.1, 0.9), [1, 0]);
  t.strictSame(backwards, { threshold: Number.POSITIVE_INFINITY, sensitivity: 0, specificity: 1 });
  t.equal(bestThreshold(Float64Array.of(0.1, 0.9), [1, 1]), null);
  t.match(scoresAtThreshold(Float64Array.of(0.1, 0.9), [1, 0], Number.POSITIVE_INFINITY), {
    ...{ sensitivity: 0, specificity: 1, ppv: null, falseOmissionRate: 0.5 },
  });
  t.throws(() => scoresAtThreshold(Float64Array.of(0.1), [1], Number.NaN), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => bestThreshold(Float64Array.of(0.1), [1, 0]), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('figures of several networks: mean, range, one resampling for all', async (t) => {
  const labels = Array.from(uniform('figures labels', 40), (u) => (u > 0 ? 1 : 0));
  const sets = ['x', 'y', 'z'].map((seed) =>
    binary(
      Array.from(uniform(seed, 40), (u, i) => 0.5 + 0.3 * u + 0.15 * ((labels[i] as number) * 2 - 1)),
      labels,
    ),
  );
  const patients = labels.map((_, i) => `p${i >> 1}`);
  const bootstrap = { resamples: 50, seed: 3 };
  const all = diagnosticFigures(sets, { patients, bootstrap });
  const single = sets.map((set) => diagnosticFigures([set]));
  for (const name of ['accuracy', 'f1', 'auroc', 'specificity', 'discriminantPower'] as const) {
    const values = single.map((one) => one[name].value as number);
    close(t, all[name].value, values.reduce((a, b) => a + b, 0) / 3, name);
    t.strictSame(all[name].range, { low: Math.min(...values), high: Math.max(...values) });
    t.equal(single[0]?.[name].interval, null);
    t.equal(single[0]?.[name].range, null);
    const { low, high } = all[name].interval as { low: number; high: number };
    t.ok(low < (all[name].value as number) && (all[name].value as number) < high, `${name} within`);
  }
  // One network: the very intervals of evaluatePredictions.
  const [first] = sets as [PredictionSet];
  const metrics = evaluatePredictions({ ...first, patients, bootstrap });
  const one = diagnosticFigures([first], { patients, bootstrap });
  t.strictSame(one.accuracy.interval, metrics.intervals?.accuracy);
  t.strictSame(one.f1.interval, metrics.intervals?.macroF1);
  t.equal(one.auroc.value, metrics.perClass[1]?.auroc);
  t.throws(() => diagnosticFigures([]), { code: 'ERR_INVALID_ARGUMENT' });
  const other = { ...first, labels: first.labels.map((label) => 1 - label) };
  t.throws(() => diagnosticFigures([first, other]), /sets\[1\]/);
});
