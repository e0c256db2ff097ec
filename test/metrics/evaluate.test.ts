import t from 'tap';
import { evaluatePredictions } from '../../lib/metrics/evaluate.js';
import { both } from './support.js';

t.test('a class that is not in the truth is null, left out of the means, and named', async (t) => {
  const { flat } = both(
    [
      [5, 1, 1],
      [1, 5, 2],
      [5, 1, 2],
    ],
    [0, 1, 1],
  );
  const m = evaluatePredictions(flat);
  t.equal(m.perClass[2]?.accuracy, null);
  t.equal(m.perClass[2]?.auroc, null);
  t.equal(m.perClass[2]?.recall, 0);
  t.equal(m.balancedAccuracy, 0.75);
  t.equal(m.chance, 0.5);
  t.match(m.notices, [{ code: 'class-missing', message: /class 2/ }]);
});

t.test('one class only: AUROC is not defined, MCC is 0', async (t) => {
  const m = evaluatePredictions(
    both(
      [
        [3, 1],
        [2, 1],
      ],
      [0, 0],
    ).flat,
  );
  t.equal(m.auroc, null);
  t.equal(m.mcc, 0);
  t.equal(m.balancedAccuracy, 1);
  t.strictSame(
    m.notices.map((notice) => notice.code),
    ['class-missing', 'auroc-undefined'],
  );
});

t.test('ties go to the first class, as argmax does', async (t) => {
  t.strictSame(evaluatePredictions(both([[1, 1, 1]], [2]).flat).confusionMatrix, [
    [0, 0, 0],
    [0, 0, 0],
    [1, 0, 0],
  ]);
});

t.test('a certain mistake costs a finite loss, a certain hit none', async (t) => {
  const m = (label: number) =>
    evaluatePredictions({
      probabilities: Float32Array.of(1, 0),
      labels: Int32Array.of(label),
      classes: ['a', 'b'],
    });
  t.equal(m(1).logLoss, -Math.log(2 ** -52));
  t.equal(m(0).logLoss, 0);
});

t.test('the reliability table holds (lower, upper], and the ends', async (t) => {
  const { calibration } = evaluatePredictions({
    probabilities: Float64Array.of(1, 0, 0.5, 0.5, 0.75, 0.25),
    labels: Int32Array.of(0, 1, 1),
    classes: ['a', 'b'],
    calibrationBins: 4,
  });
  t.strictSame(
    calibration.bins.map((bin) => bin.count),
    [0, 1, 1, 1],
  );
  t.strictSame(calibration.bins[0], { lower: 0, upper: 0.25, count: 0, confidence: null, accuracy: null });
  t.equal(calibration.ece, (0.5 + 0.75 + 0) / 3);
});

t.test('numbers that scikit-learn gave for the same predictions', async (t) => {
  // scikit-learn 1.9.1: balanced_accuracy_score, matthews_corrcoef, roc_auc_score (ovr), log_loss, f1_score.
  const { flat } = both(
    Array.from({ length: 24 }, (_, i) => [1 + ((i * 7) % 5), 1 + ((i * 3) % 7), 1 + ((i * 5) % 4)]),
    [0, 1, 1, 2, 1, 1, 0, 0, 1, 2, 1, 1, 0, 1, 0, 2, 1, 0, 0, 0, 1, 2, 0, 1],
  );
  const m = evaluatePredictions(flat);
  const close = (ours: number | null, theirs: number, name: string) =>
    t.ok(ours !== null && Math.abs(ours - theirs) < 1e-12, `${name}: ${ours} is ${theirs}`);
  close(m.balancedAccuracy, 0.6759259259259259, 'balanced accuracy');
  close(m.mcc, 0.6719143711361687, 'MCC');
  close(m.auroc, 0.8145315332815333, 'AUROC');
  close(m.logLoss, 0.8461252698803832, 'log loss');
  close(m.macroF1, 0.6898944193061839, 'macro F1');
  close(m.weightedF1, 0.7633107088989443, 'weighted F1');
});

const good = both(
  [
    [3, 1],
    [1, 2],
  ],
  [0, 1],
).flat;
const misuse: [string, Record<string, unknown>, string, RegExp][] = [
  ['an array of numbers', { probabilities: [1, 0] }, 'ERR_INVALID_ARGUMENT', /probabilities/],
  ['labels as numbers', { labels: [0, 1] }, 'ERR_INVALID_ARGUMENT', /labels/],
  [
    'no images',
    { labels: new Int32Array(0), probabilities: new Float64Array(0) },
    'ERR_INVALID_ARGUMENT',
    /label/,
  ],
  [
    'a length that does not fit',
    { labels: Int32Array.of(0) },
    'ERR_INVALID_SHAPE',
    /1 x 2 = 2 .* received 4/,
  ],
  ['one class', { classes: ['a'] }, 'ERR_INVALID_ARGUMENT', /at least 2 classes/],
  ['a class twice', { classes: ['a', 'a'] }, 'ERR_INVALID_ARGUMENT', /did not occur before for classes.1./],
  ['a label that is no class', { labels: Int32Array.of(0, 2) }, 'ERR_INVALID_ARGUMENT', /labels\[1\]/],
  ['a negative label', { labels: Int32Array.of(-1, 0) }, 'ERR_INVALID_ARGUMENT', /labels\[0\]/],
  ['NaN', { probabilities: Float64Array.of(Number.NaN, 1, 0, 1) }, 'ERR_NOT_FINITE', /row 0, class 0/],
  ['logits', { probabilities: Float64Array.of(4, -1, 0, 1) }, 'ERR_INVALID_ARGUMENT', /from 0 to 1/],
  ['sigmoids', { probabilities: Float64Array.of(0.9, 0.9, 0, 1) }, 'ERR_INVALID_ARGUMENT', /sums to 1/],
  ['a misspelt option', { bootstrp: true }, 'ERR_INVALID_ARGUMENT', /did you mean 'bootstrap'/],
  ['too few counts', { trainCounts: [1] }, 'ERR_INVALID_ARGUMENT', /trainCounts/],
  ['a group that is none', { groups: ['head', 'tial'] }, 'ERR_INVALID_ARGUMENT', /nearest: 'tail'/],
  ['too few groups', { groups: ['head'] }, 'ERR_INVALID_ARGUMENT', /groups/],
  ['too few patients', { patients: ['p'] }, 'ERR_INVALID_ARGUMENT', /patients/],
  ['a patient that is an object', { patients: ['p', {}] }, 'ERR_INVALID_ARGUMENT', /patients\[1\]/],
  ['too few resamples', { bootstrap: { resamples: 3 } }, 'ERR_INVALID_ARGUMENT', /bootstrap.resamples/],
  ['a level of 95', { bootstrap: { level: 95 } }, 'ERR_INVALID_ARGUMENT', /bootstrap.level/],
  ['a number for bootstrap', { bootstrap: 100 }, 'ERR_INVALID_ARGUMENT', /bootstrap/],
  ['no bins', { calibrationBins: 0 }, 'ERR_INVALID_ARGUMENT', /calibrationBins/],
];
for (const [name, change, code, message] of misuse) {
  t.test(`${name} is refused with ${code}`, async (t) => {
    t.throws(() => evaluatePredictions({ ...good, ...change } as never), { code, message });
  });
}
