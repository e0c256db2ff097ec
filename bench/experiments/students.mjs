/** What the experiments with GazeLT's students share: an arm's method, one run of it, teachers' vectors of the films. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { GazeLT, GazeTeacher } from '../../dist/lib/index.js';
import { hasCheckpoint, readJson, say, write } from './support.mjs';

/**
 * Options of `fit` of an arm: Softmax, RW LDAM-DRW, or the latter with distillation from teachers' vectors.
 *
 * @param {'softmax' | 'rw-ldam-drw' | 'gazelt' | 'shuffled'} arm
 * @param {{ drw_epoch: number, kd_weight: number }} settings
 * @param {{ set: string, folder: string }} vectors which branches', and where they lie
 */
function methodOf(arm, { drw_epoch, kd_weight }, { set, folder }) {
  if (arm === 'softmax') return { loss: 'ce' };
  const rw = { loss: 'ldam', weighting: 'balanced', deferred: { epoch: drw_epoch } };
  if (arm === 'rw-ldam-drw') return rw;
  return { ...rw, distillation: { features: set, featuresDir: folder, weight: kd_weight } };
}

/**
 * Trains one student, from where it was stopped, and keeps in `result.json` what it predicts of each test split.
 *
 * @param {object} given arm, seed, folder of the run, settings, vectors, `create` options, splits, tests by name, signal
 */
export async function runStudent({ arm, seed, folder, settings, vectors, create, splits, tests, signal }) {
  const result = path.join(folder, 'result.json');
  if (existsSync(result)) return;
  const { train, validation } = splits;
  const model = await GazeLT.create({ ...create, init: 'random', seed });
  try {
    const checkpoints = path.join(folder, 'checkpoints');
    const fit = model.fit({
      ...{ train, validation, ...methodOf(arm, settings, vectors), seed, checkpoints, signal },
      ...{ maxEpochs: settings.epochs, patience: settings.epochs, batchSize: settings.batch },
      ...{ learningRate: settings.lr, precision: settings.precision },
      resume: await hasCheckpoint(checkpoints),
    });
    const { schedule } = await fit.result;
    const evaluated = {};
    for (const [split, films] of Object.entries(tests)) {
      const { probabilities, labels, patients } = await model.evaluate(films, { signal });
      evaluated[split] = {
        labels: [...labels],
        predicted: predictedOf(probabilities, labels.length),
        patients,
      };
    }
    write(result, { arm, seed, settings, schedule, evaluated });
    say(`${arm} seed ${seed}: best epoch ${schedule.bestEpoch}, validation ${schedule.best.toFixed(3)}`);
  } finally {
    model.dispose();
  }
}

/** Result of a finished run, else `undefined`. */
export const studentResult = (folder) => readJson(path.join(folder, 'result.json'));

function predictedOf(probabilities, films) {
  const classes = probabilities.length / films;
  return Array.from({ length: films }, (_, i) => {
    const row = probabilities.subarray(i * classes, (i + 1) * classes);
    return row.indexOf(Math.max(...row));
  });
}

/** Writes the vectors of all films by each teacher, those that are not there yet. @returns the set that they make up */
export async function extractVectors(teachers, films, { folder, signal }) {
  const branches = [];
  for (const source of teachers) {
    const teacher = await GazeTeacher.load(source);
    try {
      const report = await teacher.features(films, { folder, signal });
      say(`${teacher.card.branch} vectors: ${report.written} written, ${report.kept} there`);
      branches.push(teacher.card.branch);
    } finally {
      teacher.dispose();
    }
  }
  return { branches, set: branches.length === 2 ? 'gazelt' : branches[0] };
}
