import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parse } from 'csv-parse/sync';
import sharp from 'sharp';
import t from 'tap';
import { evaluatePredictions } from '../../lib/metrics/evaluate.js';
import {
  predictionsCsv,
  truthCsv,
  writeEvaluationFiles,
  writeLearningCurves,
} from '../../lib/report/evaluation-files.js';
import { writeMetricsJson } from '../../lib/report/metrics-json.js';
import { classificationReport, summaryText } from '../../lib/report/summary.js';
import { both, madeUp } from '../metrics/support.js';
import { madeUpHistory } from './support.js';

t.test('the files of a split and of a run', async (t) => {
  const folder = t.testdir();
  const { flat } = madeUp(30, 3, 1);
  const metrics = evaluatePredictions(flat);
  const written = [
    ...(await writeEvaluationFiles({ folder, split: 'balanced-test', predictions: flat, metrics })),
    ...(await writeLearningCurves(folder, madeUpHistory(3))),
  ];
  const names = ['pred.csv', 'true.csv', 'summary.txt', 'cm.png'].map((part) => `balanced-test_${part}`);
  const expected = [...names, 'loss.png', 'balanced_acc.png', 'auc.png'].sort();
  t.strictSame((await readdir(folder)).sort(), expected);
  t.strictSame(written.map((path) => basename(path)).sort(), expected, 'as it says itself');
});

t.test('pictures are pictures', async (t) => {
  const folder = t.testdir();
  const { flat } = madeUp(60, 4, 1);
  await writeEvaluationFiles({
    folder,
    split: 'test',
    predictions: flat,
    metrics: evaluatePredictions(flat),
  });
  await writeLearningCurves(folder, madeUpHistory(1), 1);
  for (const name of ['test_cm.png', 'loss.png', 'balanced_acc.png', 'auc.png']) {
    const { format, width, height } = await sharp(join(folder, name)).metadata();
    t.equal(format, 'png');
    t.ok((width ?? 0) > 300 && (height ?? 0) > 300, `${name} is ${width} x ${height}`);
  }
});

t.test('an id column when asked for, quoting where needed', async (t) => {
  const predictions = {
    ...both(
      [
        [3, 1],
        [1, 3],
      ],
      [0, 1],
    ).flat,
    classes: ['a, "b"', 'c\nd'],
  };
  const ids = ['x,1.png', 'plain.png'];
  t.strictSame(parse(predictionsCsv(predictions, ids)), [
    ['id', 'a, "b"', 'c\nd'],
    ['x,1.png', '0.75', '0.25'],
    ['plain.png', '0.25', '0.75'],
  ]);
  t.strictSame(parse(truthCsv(predictions)), [
    ['a, "b"', 'c\nd'],
    ['1', '0'],
    ['0', '1'],
  ]);
});

t.test('float32 probabilities keep float32 digits', async (t) => {
  const predictions = {
    probabilities: Float32Array.of(0.1, 0.9),
    labels: Int32Array.of(0),
    classes: ['a', 'b'],
  };
  t.equal(predictionsCsv(predictions), 'a,b\n0.1,0.9\n');
  const wide = { ...predictions, probabilities: Float64Array.of(0.1 + 2e-17, 0.9) };
  t.equal(predictionsCsv(wide), 'a,b\n0.10000000000000002,0.9\n');
});

t.test('what is not defined is nan in the summary and 0 in the table, as scikit-learn has it', async (t) => {
  const metrics = evaluatePredictions(
    both(
      [
        [5, 1, 1],
        [1, 5, 2],
        [5, 1, 2],
      ],
      [0, 1, 1],
    ).flat,
  );
  t.match(summaryText(metrics), /\nclass 2:\| nan\n/);
  // scikit-learn 1.9.1, classification_report([0, 1, 1], [0, 1, 0], digits=3), and a row for the class that it leaves out.
  t.equal(
    classificationReport(metrics),
    [
      '              precision    recall  f1-score   support',
      '',
      '     class 0      0.500     1.000     0.667         1',
      '     class 1      1.000     0.500     0.667         2',
      '     class 2      0.000     0.000     0.000         0',
      '',
      '    accuracy                          0.667         3',
      '   macro avg      0.750     0.750     0.667         3',
      'weighted avg      0.833     0.667     0.667         3',
      '',
    ].join('\n'),
  );
});

t.test('metrics.json holds the metrics as they are', async (t) => {
  const path = join(t.testdir(), 'metrics.json');
  const { flat } = madeUp(40, 3, 1);
  const metrics = evaluatePredictions({
    ...flat,
    trainCounts: [2000, 500, 20],
    bootstrap: { resamples: 20 },
  });
  await writeMetricsJson(path, { run: { precision: 'float32' }, splits: { test: metrics } });
  t.strictSame(JSON.parse(await readFile(path, 'utf8')), {
    format: 'cxr-gaze/metrics',
    version: 1,
    run: { precision: 'float32' },
    splits: { test: metrics },
  });
});

t.test('bad arguments are refused before anything is written', async (t) => {
  const folder = t.testdir();
  const { flat } = madeUp(10, 3, 1);
  const good = { folder, split: 'test', predictions: flat, metrics: evaluatePredictions(flat) };
  const code = { code: 'ERR_INVALID_ARGUMENT' };
  await t.rejects(writeEvaluationFiles({ ...good, split: '../test' }), code);
  await t.rejects(writeEvaluationFiles({ ...good, split: '' }), code);
  await t.rejects(writeEvaluationFiles({ ...good, ids: ['one'] }), code);
  await t.rejects(writeEvaluationFiles({ ...good, predictions: madeUp(11, 3, 1).flat }), code);
  t.strictSame(await readdir(folder), []);
  await t.rejects(writeEvaluationFiles({ ...good, folder: join(folder, 'none') }), { code: 'ERR_FILE' });
});
