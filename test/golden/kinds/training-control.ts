import { attentionWeight } from '../../../lib/training/attention-weight.js';
import { earlyStoppings, PlateauSchedule } from '../../../lib/training/plateau-schedule.js';
import { boolean, choice, number, numbers, record } from '../case.js';
import type { Kind } from '../kind.js';

/** The epoch loop of loc-attention over scripted validation losses and right answers. */
export const trainingControlKind: Kind = {
  config: [
    ...[
      'max_epochs',
      'lr',
      'adaptive',
      'lambda',
      'early_stopping',
      'patience',
      'validation_size',
      'scheduler',
    ],
  ],
  inputs: ['validation_losses', 'validation_right'],
  run: ({ config, inputs }) => {
    const { factor, patience, threshold, min_lr, eps, ...others } = record('scheduler', config.scheduler);
    if (Object.keys(others).length > 0) throw new Error(`unknown keys ${Object.keys(others)} of scheduler`);
    const schedule = new PlateauSchedule({
      maxEpochs: number('max_epochs', config.max_epochs),
      patience: number('patience', config.patience),
      learningRate: number('lr', config.lr),
      earlyStopping: choice('early_stopping', config.early_stopping, earlyStoppings),
      plateau: {
        factor: number('factor', factor),
        patience: number('scheduler.patience', patience),
        threshold: number('threshold', threshold),
        minimum: number('min_lr', min_lr),
        smallestCut: number('eps', eps),
      },
    });
    const adaptive = boolean('adaptive', config.adaptive);
    const weight = adaptive ? { adaptive } : { lambda: number('lambda', config.lambda) };
    const losses = numbers('validation_losses', inputs.validation_losses);
    const right = numbers('validation_right', inputs.validation_right);
    const size = number('validation_size', config.validation_size);
    const [lr, saved, lambda]: [number[], number[], number[]] = [[], [], []];
    while (schedule.goesOn) {
      const epoch = schedule.state.epochsDone;
      lambda.push(attentionWeight(epoch, weight));
      const { improved } = schedule.finish((right[epoch] as number) / size, losses[epoch] as number);
      if (improved) saved.push(epoch);
      lr.push(schedule.state.learningRate);
    }
    const { epochsDone } = schedule.state;
    // The original leaves its loop before the last step of the scheduler where it stops early.
    if (epochsDone < losses.length) lr.pop();
    const list = (data: number[]) => ({ shape: [data.length], data });
    return {
      epochs_run: { shape: [], data: [epochsDone] },
      saved: list(saved),
      lr: list(lr),
      lambda: list(lambda),
    };
  },
};
