/** What the flags of loc-attention's programs mean, without a run. */
import { Command } from 'commander';
import t from 'tap';
import { addAttentionBaseline, attentionBaseline } from '../../lib/cli/attention-baseline.js';
import { type AttentionFlags, attentionClassifier, attentionFit } from '../../lib/cli/attention-flags.js';
import { addAttentionOptions } from '../../lib/cli/attention-options.js';
import { addDataOptions } from '../../lib/cli/data-options.js';
import { explicitFlags } from '../../lib/cli/options.js';
import { addTrainOptions } from '../../lib/cli/train-options.js';
import { halfNormalisation, imagenetNormalisation } from '../../lib/training/inputs.js';

const classes = ['0NoFinding', '1Effusion'];

function flagsOf(...argv: string[]): AttentionFlags {
  const command = addAttentionOptions(new Command());
  return command.parse(['--rand_init', '--backbone', 'resnet', ...argv], { from: 'user' }).opts();
}

function baselineOf(...argv: string[]): AttentionFlags | undefined {
  const command = addTrainOptions(addDataOptions(new Command()), 'baseline');
  addAttentionBaseline(command);
  command.parse(['--rand_init', ...argv], { from: 'user' });
  return attentionBaseline(command.opts(), explicitFlags(command));
}

t.test('flags of training reach the fit', (t) => {
  t.match(attentionFit(flagsOf('--lamda', '0.5')), {
    ...{ attention: 'published', earlyStopping: 'reset', patience: 30, maxEpochs: 100, batchSize: 32 },
    ...{ learningRate: 1e-5, select: 'accuracy', seed: 0, weighting: null },
  });
  const given = [
    ...['--early_stopping', 'cumulative', '--patience', '3', '--follow', 'loss', '--select', 'auroc'],
    ...['--lr', '1e-3', '--rw_method', 'cb', '--activations', 'after_relu'],
  ];
  t.match(attentionFit(flagsOf(...given)), {
    ...{
      earlyStopping: 'cumulative',
      patience: 3,
      follow: 'loss',
      select: 'auroc',
      activations: 'after_relu',
    },
    ...{ learningRate: 1e-3, weighting: 'class-balanced' },
  });
  t.end();
});

t.test('--normalisation chooses the statistics of the pixels', (t) => {
  const normalisationOf = (...argv: string[]) =>
    attentionClassifier(flagsOf(...argv), classes, 'cpu').normalisation;
  t.equal(normalisationOf(), halfNormalisation);
  t.equal(normalisationOf('--normalisation', 'imagenet'), imagenetNormalisation);
  t.end();
});

t.test("with --path a baseline's settings are loc-attention's", (t) => {
  t.equal(baselineOf('--dataset', 'sample'), undefined);
  t.match(baselineOf('--path', 'data/NIH/nofind_effusion'), {
    ...{ lr: 1e-5, max_epochs: 100, image_size: 224, batch: 32, patience: 30, results: 'results' },
    ...{ attention: 'none', select: 'accuracy', early_stopping: 'reset', normalisation: 'half' },
    ...{ dataset: 'NIH', task_name: 'nofind_effusion' },
  });
  const given = ['--lr', '1e-4', '--max_epochs', '60', '--image_size', '256', '--batch_size', '256'];
  t.match(
    baselineOf('--path', 'data/NIH/nofind_effusion', ...given),
    { lr: 1e-4, max_epochs: 60, image_size: 256, batch: 256 },
    "also where they are the long-tailed baseline's own",
  );
  t.end();
});
