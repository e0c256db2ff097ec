import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { classificationColumns, HistoryFile } from '../../../lib/report/history.js';
import { EpochSchedule } from '../../../lib/training/epoch-schedule.js';
import { boolean, choice, number, numbers } from '../case.js';
import type { Kind } from '../kind.js';

/** The epoch loop over scripted validation scores. */
export const scheduleKind: Kind = {
  config: ['loss', 'drw', 'rw_method', 'max_epochs', 'patience', 'lr', 'drw_epoch', 'drw_lr_factor'],
  inputs: ['val_balanced_acc'],
  run: async ({ config, inputs }) => {
    choice('loss', config.loss, ['ce', 'focal', 'ldam']);
    const drw = boolean('drw', config.drw);
    const weighs = choice('rw_method', config.rw_method, ['', 'sklearn', 'cb']) !== '';
    const scores = numbers('val_balanced_acc', inputs.val_balanced_acc);
    const schedule = new EpochSchedule({
      maxEpochs: number('max_epochs', config.max_epochs),
      patience: number('patience', config.patience),
      learningRate: number('lr', config.lr),
      deferred: drw
        ? {
            epoch: number('drw_epoch', config.drw_epoch),
            factor: number('drw_lr_factor', config.drw_lr_factor),
          }
        : undefined,
    });
    const lr: number[] = [];
    const weighted: boolean[] = [];
    const improved: number[] = [];
    const folder = await mkdtemp(path.join(tmpdir(), 'cxr-gaze-golden-'));
    try {
      const file = path.join(folder, 'history.csv');
      const history = await HistoryFile.create(file, classificationColumns);
      while (schedule.goesOn) {
        const epoch = schedule.state.epochsDone + 1;
        const score = scores[epoch - 1];
        if (score === undefined) throw new Error(`the script ends before epoch ${epoch}`);
        lr.push(schedule.state.learningRate);
        weighted.push(weighs && (!drw || schedule.state.reweighted));
        const row = { epoch, loss: 1, balancedAccuracy: score, mcc: 0, auroc: 0.5 };
        await history.append({ ...row, phase: 'train' });
        await history.append({ ...row, phase: 'val' });
        if (schedule.finish(score).improved) improved.push(epoch);
      }
      const [header, ...rows] = (await readFile(file, 'utf8')).trimEnd().split(/\r?\n/);
      return {
        epochs_run: schedule.state.epochsDone,
        lr,
        weighted,
        checkpoint_epochs: improved,
        best_epoch: schedule.state.bestEpoch,
        // Where the original writes chkpt_epoch-E.pt, ours is the folder epoch-E.
        files: ['history.csv', ...improved.map((epoch) => `chkpt_epoch-${epoch}.pt`)],
        history_header: header,
        history_rows: rows.map((row) => {
          const [epoch, phase] = row.split(',');
          return [Number(epoch), phase];
        }),
        evaluated: ['balanced-test', 'test'],
      };
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};
