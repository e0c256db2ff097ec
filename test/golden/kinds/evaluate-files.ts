import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeEvaluationFiles, writeLearningCurves } from '../../../lib/report/evaluation-files.js';
import { string } from '../case.js';
import { CsvRows } from '../compare.js';
import type { Kind } from '../kind.js';
import { goldenMetrics, goldenPredictions } from './predictions.js';

/** The files that an evaluation writes. */
export const evaluateFilesKind: Kind = {
  config: ['dataset', 'classes', 'groups', 'split', 'strength'],
  inputs: ['noise', 'labels'],
  run: async ({ config, inputs }) => {
    const split = string('split', config.split);
    const folder = await mkdtemp(path.join(tmpdir(), 'cxr-gaze-golden-'));
    try {
      const predictions = goldenPredictions(config, inputs);
      await writeEvaluationFiles({ folder, split, predictions, metrics: goldenMetrics(config, inputs) });
      // The original draws its curves again with every evaluation; ours come from the history of a run.
      const row = { epoch: 1, loss: 1, balancedAccuracy: 0.5, mcc: 0.5, auroc: 0.5 };
      await writeLearningCurves(folder, [
        { ...row, phase: 'train' },
        { ...row, phase: 'val' },
      ]);
      const [pred, truth] = await Promise.all([
        lines(folder, `${split}_pred.csv`),
        lines(folder, `${split}_true.csv`),
      ]);
      return {
        files: (await readdir(folder)).sort(),
        summary: await readFile(path.join(folder, `${split}_summary.txt`), 'utf8'),
        pred_header: pred[0],
        pred_rows: new CsvRows(pred.slice(1)),
        true_header: truth[0],
        true_rows: new CsvRows(truth.slice(1)),
        pred_lines: pred.length,
        true_lines: truth.length,
      };
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

async function lines(folder: string, name: string): Promise<string[]> {
  const text = await readFile(path.join(folder, name), 'utf8');
  return text.trimEnd().split(/\r?\n/);
}
