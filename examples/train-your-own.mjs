/**
 * Trains GazeLT's student on a table of your own, evaluates it, and writes predictions, metrics and the model. The same
 * from the command line, with a report besides: `cxr-gaze train gazelt --csv labels.csv ...`.
 *
 *     node examples/train-your-own.mjs --csv labels.csv --root images --weights resnet50.pth --out runs/mine
 *
 * The table has a header and the columns `path` (below the root), `label`, `split` (train, val, test) and `patient`.
 * Started again after an interruption, it goes on where it was. Not for clinical use.
 */
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import {
  CheckpointStore,
  CxrGazeError,
  findMissingImages,
  GazeLT,
  openTable,
  writeEvaluationFiles,
  writeMetricsJson,
} from 'cxr-gaze';

function settings() {
  const { values } = parseArgs({
    options: {
      csv: { type: 'string' },
      root: { type: 'string' },
      weights: { type: 'string' },
      out: { type: 'string', default: 'runs/your-own' },
      architecture: { type: 'string', default: 'resnet50' },
      // Channels of the first stage: weights of others fit no width but 64.
      width: { type: 'string', default: '64' },
      size: { type: 'string', default: '224' },
      epochs: { type: 'string', default: '60' },
      batch: { type: 'string', default: '32' },
    },
  });
  for (const name of ['csv', 'root'])
    if (values[name] === undefined) throw new Error(`--${name} is needed; see the top of this file`);
  return values;
}

async function readTable({ csv, root }) {
  const { classes, splits, skipped, warnings } = await openTable({
    ...{ csv, root, splitColumn: 'split', patientColumn: 'patient', emptyLabel: 'skip' },
  });
  for (const { message } of warnings) process.stderr.write(`warning: ${message}\n`);
  if (skipped.emptyLabel > 0) process.stderr.write(`${skipped.emptyLabel} rows have no label\n`);
  const [train, validation, test] = ['train', 'val', 'test'].map((name) => {
    const split = splits.get(name);
    if (!split) throw new Error(`${csv}: no row has '${name}' in the column split`);
    return split;
  });
  // Better now than in the middle of the first epoch.
  const missing = (
    await Promise.all([train, validation, test].map((split) => findMissingImages(split)))
  ).flat();
  if (missing.length > 0)
    throw new Error(`${missing.length} images are missing, the first: ${missing[0].path}`);
  return { classes, train, validation, test };
}

async function main() {
  const given = settings();
  const { classes, train, validation, test } = await readTable(given);
  const model = await GazeLT.create({
    classes,
    // Without a file of weights learning starts from nothing, and takes far more images.
    init: given.weights === undefined ? 'random' : { weights: given.weights },
    architecture: given.architecture,
    width: Number(given.width),
    imageSize: Number(given.size),
  });

  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const checkpoints = path.join(given.out, 'checkpoints');
  const run = model.fit({
    ...{ train, validation, checkpoints, signal: stop.signal },
    resume: (await new CheckpointStore(checkpoints).named('last')) !== undefined,
    loss: 'ldam',
    weighting: 'balanced',
    deferred: true,
    maxEpochs: Number(given.epochs),
    batchSize: Number(given.batch),
    cacheDir: path.join(given.out, 'cache'),
  });
  for await (const event of run) {
    if (event.type === 'epoch')
      process.stdout.write(
        `epoch ${event.epoch} ${event.phase}: loss ${event.loss.toFixed(4)}, balanced accuracy ${event.balancedAccuracy.toFixed(3)}\n`,
      );
    if (event.type === 'reweighting') process.stdout.write(`class weights from epoch ${event.epoch} on\n`);
  }

  const evaluation = await model.evaluate(test, { bootstrap: true });
  const { metrics, probabilities, labels, ids, precision } = evaluation;
  const predictions = { probabilities, labels, classes };
  await writeEvaluationFiles({ folder: given.out, split: 'test', predictions, metrics, ids });
  await writeMetricsJson(path.join(given.out, 'metrics.json'), {
    run: { ...given, precision, card: model.card },
    splits: { test: metrics },
  });
  await model.save(path.join(given.out, 'model'));
  model.dispose();
  const { balancedAccuracy, chance, intervals } = metrics;
  const { low, high } = intervals?.balancedAccuracy ?? { low: Number.NaN, high: Number.NaN };
  process.stdout.write(
    `test: balanced accuracy ${balancedAccuracy.toFixed(3)} (95 % of resamples from ${low.toFixed(3)} to ${high.toFixed(3)}; chance ${chance.toFixed(3)})\n`,
  );
}

main().catch((error) => {
  process.stderr.write(`${error instanceof CxrGazeError ? `${error.code}: ` : ''}${error.message}\n`);
  process.exitCode = 1;
});
