import fc from 'fast-check';
import t from 'tap';
import { epochScores } from '../../lib/metrics/epoch-scores.js';
import { evaluatePredictions } from '../../lib/metrics/evaluate.js';
import * as twin from '../reference/metrics/reference-metrics.js';
import { anyPredictions, near } from './support.js';

/** Class AUROCs by the twin, averaged over those that are defined. */
function meanAuroc(rows: twin.Rows): number {
  const areas = Array.from({ length: rows.classes }, (_, k) => twin.classAuroc(rows, k));
  const defined = areas.filter((a) => !Number.isNaN(a));
  return defined.length > 0 ? defined.reduce((a, b) => a + b, 0) / defined.length : Number.NaN;
}

t.test('every number equals its slow twin on any predictions', async () => {
  fc.assert(
    fc.property(anyPredictions, ({ rows, flat }) => {
      const m = evaluatePredictions(flat);
      const called = twin.predictions(rows);
      const pairs: [string, number | null, number][] = [
        ['accuracy', m.accuracy, called.filter((p, i) => p === rows.labels[i]).length / called.length],
        ['balanced accuracy', m.balancedAccuracy, twin.balancedAccuracy(rows)],
        ['chance', m.chance, 1 / new Set(rows.labels).size],
        ['mcc', m.mcc, twin.mcc(rows)],
        ['macro f1', m.macroF1, twin.macroF1(rows)],
        ['weighted f1', m.weightedF1, twin.weightedF1(rows)],
        ['auroc', m.auroc, meanAuroc(rows)],
        ['log loss', m.logLoss, twin.logLoss(rows)],
        ['ece', m.calibration.ece, twin.ece(rows, 15)],
        ...m.perClass.flatMap((c, k): [string, number | null, number][] => [
          [`accuracy ${k}`, c.accuracy, twin.recall(rows, k)],
          [`precision ${k}`, c.precision, twin.precision(rows, k) || 0],
          [`f1 ${k}`, c.f1, twin.f1(rows, k)],
          [`auroc ${k}`, c.auroc, twin.classAuroc(rows, k)],
          [`support ${k}`, c.support, rows.labels.filter((label) => label === k).length],
          [`predicted ${k}`, c.predicted, called.filter((p) => p === k).length],
        ]),
      ];
      for (const [name, ours, theirs] of pairs) {
        if (!near(ours, theirs)) throw new Error(`${name}: ${ours} against ${theirs}`);
      }
      return JSON.stringify(m.confusionMatrix) === JSON.stringify(twin.confusion(rows));
    }),
    { numRuns: 300 },
  );
});

t.test('what goes out survives JSON: no NaN, no infinity, no typed array', async (t) => {
  fc.assert(
    fc.property(anyPredictions, ({ flat }) => {
      const m = evaluatePredictions({
        ...flat,
        trainCounts: flat.classes.map((_, k) => 400 * k),
        bootstrap: { resamples: 20 },
      });
      t.strictSame(JSON.parse(JSON.stringify(m)), m);
    }),
    { numRuns: 50 },
  );
});

t.test('the order of the images does not matter', async () => {
  fc.assert(
    fc.property(anyPredictions, ({ rows, flat }) => {
      const order = rows.labels.map((_, i) => i).reverse();
      const turned = evaluatePredictions({
        classes: flat.classes,
        labels: Int32Array.from(order, (i) => rows.labels[i] as number),
        probabilities: Float64Array.from(order.flatMap((i) => rows.probabilities[i] as number[])),
      });
      const straight = evaluatePredictions(flat);
      return near(turned.mcc, straight.mcc) && near(turned.auroc, straight.auroc ?? Number.NaN);
    }),
  );
});

t.test('float32 probabilities give the numbers of their float64 values', async () => {
  fc.assert(
    fc.property(anyPredictions, ({ flat }) => {
      const narrow = Float32Array.from(flat.probabilities);
      const a = evaluatePredictions({ ...flat, probabilities: narrow });
      const b = evaluatePredictions({ ...flat, probabilities: Float64Array.from(narrow) });
      return JSON.stringify(a) === JSON.stringify(b);
    }),
  );
});

t.test('the scores of an epoch are those of the whole evaluation', async () => {
  fc.assert(
    fc.property(anyPredictions, ({ flat }) => {
      const { balancedAccuracy, mcc, auroc } = evaluatePredictions(flat);
      return JSON.stringify(epochScores(flat)) === JSON.stringify({ balancedAccuracy, mcc, auroc });
    }),
  );
});
