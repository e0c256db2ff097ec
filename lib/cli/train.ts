/** `cxr-gaze train`: trains a system, evaluates it, leaves a run's folder. */
import path from 'node:path';
import { Command } from 'commander';
import { dataThreads } from '../data/resize.js';
import { backboneName } from '../models/model.js';
import { runName } from '../report/run-name.js';
import { asPublished } from './as-published.js';
import { addAttentionBaseline, attentionBaseline } from './attention-baseline.js';
import { absoluteDataFlags, addDataOptions, pickDataFlags } from './data-options.js';
import { openData, trainingSplits } from './datasets.js';
import { networkOfBase } from './network-of-base.js';
import { explicitFlags } from './options.js';
import { existing } from './run-folder.js';
import { sayData } from './say-data.js';
import { Output, type Session } from './session.js';
import { addAttentionCommand, trainAttention } from './train-attention.js';
import { checkTrainFlags, featuresNeeded, type SystemName, type TrainFlags } from './train-flags.js';
import { addTrainOptions } from './train-options.js';
import { trainRun } from './train-run.js';
import { addSegmenterCommand } from './train-segmenter.js';
import { addTeacherCommand } from './train-teacher.js';

const summaries: Readonly<Record<SystemName, string>> = {
  gazelt: "GazeLT's student: ResNet with the two-layer head, 224 pixels, optional teacher vectors",
  baseline:
    "the long-tail benchmark's classifier: ResNet with the one-layer head, 256 pixels; or loc-attention's baseline (--path)",
};

const examples: Readonly<Record<SystemName, string>> = {
  gazelt: `
Examples:
  The published run, with teacher vectors:
    cxr-gaze train gazelt --dataset nih-cxr-lt --data_dir images/ --label_dir labels/ \\
      --weights resnet50-11ad3fa6.pth --features gazelt --features_dir features/ \\
      --loss ldam --rw_method sklearn --drw --max_epochs 100
  A table of your own, small and from nothing:
    cxr-gaze train gazelt --csv labels.csv --label_column finding --split_column split \\
      --rand_init --features none --model_name resnet18 --image_size 128 --batch_size 16 --lr 1e-3
  Classifier re-training (cRT) of a run's head:
    cxr-gaze train gazelt --dataset nih-cxr-lt --data_dir images/ --label_dir labels/ --features none \\
      --decoupling_method cRT --decoupling_weights results/train/nih-cxr-lt_resnet50_ce_lr-0.0001_bs-256
  Interrupted? The same command with --resume goes on.`,
  baseline: `
Examples:
  Row "RW LDAM-DRW" of the benchmark:
    cxr-gaze train baseline --dataset nih-cxr-lt --data_dir images/ --label_dir labels/ \\
      --weights resnet50-11ad3fa6.pth --loss ldam --rw_method sklearn --drw
  loc-attention's cross-entropy baseline:
    cxr-gaze train baseline --loss ce --path data/NIH/nofind_effusion --nclass 2 --backbone vgg \
      --weights vgg16-397923af.pth
  On the embedded sample, a few minutes:
    cxr-gaze train baseline --dataset sample --rand_init --model_name resnet18 \\
      --image_size 128 --batch_size 16 --lr 1e-3 --max_epochs 8
  Interrupted? The same command with --resume goes on.`,
};

/** The command. */
export function trainCommand(session: Session): Command {
  const command = new Command('train').description('train a system, evaluate it and report on it');
  for (const system of ['gazelt', 'baseline'] as const) {
    const sub = command.command(system).description(summaries[system]);
    addTrainOptions(addDataOptions(sub), system);
    if (system === 'baseline') addAttentionBaseline(sub);
    sub.addHelpText('after', examples[system]);
    sub.action((flags: TrainFlags, made: Command) => train(system, flags, explicitFlags(made), session));
  }
  addTeacherCommand(command, session);
  addSegmenterCommand(command, session);
  addAttentionCommand(command, session);
  return command;
}

/** Runs `train`. @param explicit names of the flags that were given */
export async function train(
  system: SystemName,
  given: TrainFlags,
  explicit: ReadonlySet<string>,
  session: Session,
): Promise<void> {
  const ofAttention = system === 'baseline' ? attentionBaseline(given, explicit) : undefined;
  if (ofAttention !== undefined) {
    await trainAttention(ofAttention, 'train baseline', session);
    return;
  }
  const output = new Output(session, given.json ?? false);
  const base = await networkOfBase(given, explicit);
  const { flags, deviations } = asPublished(
    system,
    { ...given, ...base },
    new Set([...explicit, ...Object.keys(base)]),
  );
  checkTrainFlags(flags, system);
  for (const deviation of deviations) output.warn('not-as-published', deviation);
  if (flags.workers !== undefined) dataThreads(flags.workers);
  const dataFlags = absoluteDataFlags(pickDataFlags(flags));
  const needs = system === 'gazelt' ? featuresNeeded(flags) : undefined;
  const skipMissing = flags.on_error === 'skip';
  const asked = { imageSize: flags.image_size, purpose: 'training', needs, skipMissing } as const;
  const data = await openData(dataFlags, asked);
  sayData(data, trainingSplits(data).train, flags, output);
  const target = path.join(flags.out_dir, nameOf(data.name, flags));
  const job = { system, flags, dataFlags, data, target, existing: existing(flags) };
  await trainRun(job, { session, output });
}

function nameOf(dataset: string, flags: TrainFlags): string {
  return runName({
    ...{
      dataset,
      modelName: backboneName(flags.model_name, flags.width),
      randInit: flags.rand_init ?? false,
    },
    decouplingMethod: flags.decoupling_method,
    ...{ balMixup: flags.bal_mixup ?? false, mixup: flags.mixup ?? false, mixupAlpha: flags.mixup_alpha },
    ...{ rwMethod: flags.rw_method, loss: flags.loss, drw: flags.drw ?? false, cbBeta: flags.cb_beta },
    ...{ flGamma: flags.fl_gamma, lr: flags.lr, batchSize: flags.batch_size },
  });
}
