/** `reproduce loc-attention`: which runs there are, what is chosen of them, and the command itself on a few small films. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import t from 'tap';
import { openAttentionData } from '../../lib/cli/attention-data.js';
import { pngOf } from '../../lib/cli/png.js';
import { attentionCommand } from '../../lib/cli/reproduce/attention-flags.js';
import {
  type AttentionGrid,
  type AttentionRun,
  attentionRuns,
  bestSetting,
  type FinishedRun,
  wholeSettings,
} from '../../lib/cli/reproduce/attention-plan.js';
import { type PlannedAttention, planAttention } from '../../lib/cli/reproduce/attention-run.js';
import {
  type AttentionFacts,
  attentionTable,
  noGradientNotice,
} from '../../lib/cli/reproduce/attention-table.js';
import { taskSources } from '../../lib/cli/reproduce/attention-tasks.js';
import { InputCheck } from '../../lib/cli/reproduce/input-check.js';
import { sameCourse } from '../../lib/cli/reproduce/shared-training.js';
import { phantomNotice } from '../../lib/cli/say-data.js';
import type { AttentionRow } from '../../lib/cli/train-attention.js';
import { comparisonMarkdown } from '../../lib/report/comparison/write.js';
import { cli, interrupted, linesOf } from '../support/cli.js';
import { noise } from '../support/images.js';
import { failure } from '../support/outcome.js';

t.setTimeout(420_000);

const grid: AttentionGrid = {
  ...{ dataset: 'nih', task: 'ne', backbones: ['resnet50'], lambdas: [1, 0.5, 'adaptive'] },
  ...{ thresholds: [0.1, 0.3], seeds: [0, 1], attention: 'published', tau: 0.1, penaliseOutside: 0 },
};

const labels = Array.from({ length: 20 }, (_, i) => i % 2);

/** Predictions of which so many are right. */
function predictions(right: number) {
  const probabilities = labels.flatMap((label, i) => {
    const p = i < right === (label === 1) ? 0.8 : 0.2;
    return [1 - p, p];
  });
  return {
    classes: ['No Finding', 'Effusion'],
    labels,
    patients: labels.map((_, i) => `p${i >> 1}`),
    probabilities,
  };
}

/** A run that is done, with so many right on validation and on test. */
function finished(name: string, validation: number, test: number): [string, FinishedRun] {
  const run = attentionRuns(grid).find((one) => one.name === name);
  if (run === undefined) throw new Error(name);
  return [name, { run, validation: predictions(validation), test: predictions(test) }];
}

const facts: AttentionFacts = {
  ...{ isPhantom: false, classes: ['No Finding', 'Effusion'], sizes: { train: 8, validation: 20, test: 20 } },
  leftOut: [],
  ...{ bootstrap: { resamples: 20 }, published: 'nih', options: {} },
};

t.test('one run for all thresholds where the loss has no attention term', async (t) => {
  const names = attentionRuns(grid).map(({ name }) => name);
  t.strictSame(names.slice(0, 5), [
    'resnet_nih_ne_ce_seed0',
    'resnet_nih_ne_la0.5_t0.1_seed0',
    'resnet_nih_ne_la0.5_t0.3_seed0',
    'resnet_nih_ne_laa_t0.1_seed0',
    'resnet_nih_ne_laa_t0.3_seed0',
  ]);
  t.equal(new Set(names).size, 10);
  const soft = attentionRuns({ ...grid, attention: 'differentiable', penaliseOutside: 1 });
  t.equal(soft[1]?.name, 'resnet_nih_ne_la0.5_t0.1_soft_mu1.0_seed0');
});

t.test('t and λ are chosen on validation, and once more on test', async (t) => {
  const runs = new Map([
    finished('resnet_nih_ne_ce_seed0', 12, 12),
    finished('resnet_nih_ne_ce_seed1', 12, 14),
    finished('resnet_nih_ne_la0.5_t0.1_seed0', 16, 12),
    finished('resnet_nih_ne_la0.5_t0.1_seed1', 16, 10),
    finished('resnet_nih_ne_la0.5_t0.3_seed0', 14, 18),
    finished('resnet_nih_ne_la0.5_t0.3_seed1', 14, 18),
    finished('resnet_nih_ne_laa_t0.1_seed0', 18, 13),
    finished('resnet_nih_ne_laa_t0.1_seed1', 18, 13),
    finished('resnet_nih_ne_laa_t0.3_seed0', 10, 11),
  ]);
  t.equal(wholeSettings([...runs.values()], grid.seeds).length, 4, 'a setting without all its seeds is none');
  const half = wholeSettings(
    [...runs.values()].filter(({ run }) => run.lambda === 0.5),
    grid.seeds,
  );
  t.equal(bestSetting(half, 'validation')?.threshold, 0.1);
  t.equal(bestSetting(half, 'test')?.threshold, 0.3);

  const progress = { grid, runs: attentionRuns(grid), failures: new Map<string, string>() };
  const partial = attentionTable({ ...progress, finished: runs }, facts);
  t.strictSame(
    partial.rows.map(({ name, status }) => [name, status]),
    [
      ['resnet50_1', 'done'],
      ['resnet50_0.5', 'done'],
      ['resnet50_adaptive', 'not-trained'],
      ['resnet50_best', 'not-trained'],
    ],
    'nothing is chosen among some of the settings',
  );
  t.match(partial.rows[2]?.note, /1 of 4 runs are not trained yet/);
  const failures = new Map([['resnet_nih_ne_laa_t0.3_seed1', 'out of memory']]);
  t.match(attentionTable({ ...progress, failures, finished: runs }, facts).rows[2], {
    status: 'failed',
    note: /seed1: out of memory/,
  });

  runs.set(...finished('resnet_nih_ne_laa_t0.3_seed1', 10, 11));
  const whole = attentionTable({ ...progress, finished: runs }, facts);
  const [ce, half05, , best] = whole.rows;
  t.match(ce, { note: null, figures: { accuracy: { range: { low: 0.6, high: 0.7 } } } });
  t.equal(ce?.figures?.accuracy?.value?.toFixed(6), '0.650000');
  t.strictSame(ce?.figures?.accuracy, ce?.figures?.accuracyBestOnTest, 'there is no t to choose');
  t.equal(half05?.note, 't 0.1 on validation; t 0.3 best on test');
  const sharing = (...seeds: readonly number[]) => {
    const shared = seeds.map((seed): [string, FinishedRun] => {
      const [name, one] = finished(`resnet_nih_ne_la0.5_t0.3_seed${seed}`, 14, 18);
      return [name, { ...one, trainedAs: `resnet_nih_ne_la0.5_t0.1_seed${seed}` }];
    });
    return attentionTable({ ...progress, finished: new Map([...runs, ...shared]) }, facts).rows;
  };
  t.match(sharing(0, 1)[1]?.note, /best on test; one training for t 0\.1, 0\.3$/);
  t.match(sharing(1)[1]?.note, /best on test; seed 1: one training for t 0\.1, 0\.3$/);
  t.notMatch(sharing(0, 1)[3]?.note, /one training/, 'the row of the best refers to the others');
  t.match(half05?.figures, { accuracy: { value: 0.55 }, accuracyBestOnTest: { value: 0.9 } });
  t.ok(half05?.figures?.auroc?.interval);
  t.match(best?.note, 'λ adaptive, t 0.1 on validation; λ 0.5, t 0.3 best on test');
  t.match(ce?.published, { accuracyBestOnTest: { value: 0.809 }, youdenBestOnTest: { value: 0.618 } });
  t.equal(ce?.published?.accuracy, undefined, 'published figures are of the second kind');
  t.match(best?.published, { sensitivityBestOnTest: { value: 0.828 } });

  const text = comparisonMarkdown(whole);
  t.ok(text.indexOf(noGradientNotice) > 0 && text.indexOf(noGradientNotice) < text.indexOf('| Method'));
  t.match(text, /Acc \/ Rec: chosen on validation \| Acc \/ Rec: best on test, as published/);
  const soft = attentionTable(
    { ...progress, grid: { ...grid, attention: 'differentiable' }, finished: runs },
    facts,
  );
  t.strictSame(soft.notices, [], 'the differentiable form has a gradient');
  const noticesOf = (isPhantom: boolean) =>
    attentionTable(
      { ...progress, grid: { ...grid, dataset: 'sample' }, finished: runs },
      { ...facts, isPhantom },
    ).notices;
  t.strictSame(noticesOf(false), [noGradientNotice], 'a folder, too, may be called sample');
  t.strictSame(noticesOf(true), [noGradientNotice, phantomNotice.message]);
  t.strictSame(
    soft.rows.map(({ published }) => published != null),
    whole.rows.map((_, i) => i === 0),
    'published figures beside cross-entropy alone',
  );

  t.match(text, /ours \[95 % interval, patients resampled\] \(lowest to highest seed\) \/ published/);
  const nameless = new Map(
    [...runs].map(([name, { run, validation, test }]) => [
      name,
      { run, validation, test: { ...test, patients: null } },
    ]),
  );
  const byImage = attentionTable({ ...progress, finished: nameless }, facts);
  t.match(comparisonMarkdown(byImage), /interval, images resampled, as patients are not known\]/);
  t.notSame(byImage.rows[0]?.figures?.accuracy?.interval, ce?.figures?.accuracy?.interval);
  const none = attentionTable({ ...progress, finished: runs }, { ...facts, bootstrap: false });
  t.notMatch(comparisonMarkdown(none), /interval|resampled/);
});

t.test('the flags of each run are those that train takes', async (t) => {
  const place = {
    ...{ folder: 'out', data: ['--dataset', 'sample', '--task', 'ne'], overwrite: false, json: false },
    common: new Map([
      ['rand_init', ['--rand_init']],
      ['tau', ['--tau', '0.2']],
    ]),
    attention: 'differentiable' as const,
    thresholds: [0.1, 0.3],
    weightsOf: () => undefined,
  };
  const [ce, half, , adaptive] = attentionRuns({ ...grid, backbones: ['resnet18'] });
  t.match(planAttention(place, ce as never), {
    flags: { attention: 'none', tau: undefined, seed: 0, backbone: 'resnet18' },
    target: path.join('out', 'seed0', 'resnet18_sample_ne_ce'),
  });
  t.match(planAttention(place, half as never), {
    flags: { attention: 'differentiable', lamda: 0.5, thresh: 0.1, tau: 0.2 },
    target: path.join('out', 'seed0', 'resnet18_sample_ne_la0.5_t0.1_soft_tau0.2'),
  });
  t.match(planAttention(place, adaptive as never), { flags: { isAdaptive: true } });
  const few = { ...place, common: new Map([...place.common, ['bootstrap', ['--bootstrap', '19']]]) };
  t.throws(() => planAttention(few, ce as never), {
    message: /--bootstrap 0 or at least 20 but received 19/,
  });
  t.match(attentionCommand().helpInformation(), /--lambdas <values>/);

  // VGG alone has activations to choose from, and only where there is a map.
  const chosen = new Map([...place.common, ['activations', ['--activations', 'after_relu']]]);
  const mixed = attentionRuns({ ...grid, backbones: ['resnet18', 'vgg16'], lambdas: [1, 0.5], seeds: [0] });
  t.same(
    mixed.map((run) => planAttention({ ...place, common: chosen }, run).flags.activations),
    [undefined, undefined, undefined, undefined, 'after_relu', 'after_relu'],
  );
  const resnet = [
    'reproduce',
    'loc-attention',
    '--dataset',
    'sample',
    '--backbones',
    'resnet18',
    '--rand_init',
  ];
  t.match(await cli([...resnet, '--activations', 'after_relu'], t.testdir()), {
    code: 2,
    stderr: /--activations is without effect with --backbones resnet18/,
  });
});

/** Epochs on validation: cross-entropy falls, and attention at t 0.1 and 0.3 is as told. */
function course(attention: readonly (readonly [at01: number, at03: number])[]): AttentionRow[] {
  return attention.map(([at01, at03], i) => ({
    ...{ epoch: i + 1, phase: 'val', crossEntropy: 1 / (i + 1), lambda: 0.5, accuracy: 0.5 + i / 100 },
    ...{ loss: 0.5 / (i + 1) + 0.5 * at01, attention: at01, 'attention@0.3': at03 },
    ...{ balancedAccuracy: 0.5, mcc: 0, auroc: 0.5, outside: null, emptyRegions: 0 },
  }));
}

t.test('another t is the same training where rates, best epoch and end are the same', (t) => {
  const flagsOf = (...more: string[]) => {
    const place = {
      ...{ folder: 'out', data: ['--dataset', 'sample', '--task', 'ne'], overwrite: false, json: false },
      ...{ attention: 'published' as const, thresholds: [0.1, 0.3], weightsOf: () => undefined },
      common: new Map([
        ['rand_init', ['--rand_init']],
        ['more', more],
      ]),
    };
    return planAttention(place, attentionRuns(grid)[1] as AttentionRun).flags;
  };
  t.match(flagsOf(), { attention: 'published', thresh: 0.1, log_thresholds: [0.3] });
  const falling = course(Array.from({ length: 15 }, () => [0.4, 0.6]));
  t.ok(sameCourse(falling, flagsOf(), 0.3));
  t.notOk(sameCourse(falling, flagsOf(), 0.5), 'a t that was not logged');
  t.notOk(sameCourse([], flagsOf(), 0.3));
  // At t 0.3 the loss stays above that of the first epoch, so the rate would have fallen after eleven.
  const parting = course(Array.from({ length: 15 }, (_, i) => [0.4, i === 0 ? 0 : 1]));
  t.notOk(sameCourse(parting, flagsOf(), 0.3));
  t.ok(sameCourse(parting.slice(0, 11), flagsOf(), 0.3), 'not yet');
  t.ok(
    sameCourse(parting, flagsOf('--follow', 'crossEntropy'), 0.3),
    'what follows another number knows no t',
  );
  t.notOk(sameCourse(parting.slice(0, 2), flagsOf('--select', 'loss'), 0.3), 'another epoch is the best');
  // As float32 has it, the loss still falls where its parts stand still.
  const still = course(Array.from({ length: 3 }, () => [0.4, 0.4]));
  const rounded = still.map((row, i) => ({ ...row, crossEntropy: 0.5, loss: 0.45 - i * 1e-8 }));
  t.ok(sameCourse(rounded, flagsOf('--select', 'loss'), 0.3), 'no epoch is better for its rounding');
  t.end();
});

t.test('which data are the tasks', async (t) => {
  const root = t.testdir({ nofind_effusion: {}, nep: {}, nf_p: {} });
  const common = {
    backbones: [],
    lambdas: [],
    thresholds: [],
    seeds: [],
    attention: 'published' as const,
    out_dir: '',
  };
  const tasksOf = async (flags: object) =>
    (await taskSources({ ...common, ...flags } as never)).map(({ task, tokens }) => [
      task,
      path.basename(tokens.at(-1) as string),
    ]);
  t.strictSame(await tasksOf({ dataset: 'nih', path: root }), [
    ['ne', 'nofind_effusion'],
    ['nep', 'nep'],
  ]);
  t.strictSame(await tasksOf({ dataset: 'ottawa', path: root }), [
    ['np', 'nf_p'],
    ['nep', 'nep'],
  ]);
  t.strictSame(
    (await tasksOf({ dataset: 'sample' })).map(([task]) => task),
    ['ne', 'np', 'nep'],
  );
  t.strictSame(await tasksOf({ dataset: 'folder', path: root, tasks: ['np'] }), [['np', 'np']]);
  const ofFolder = async (name: string) => {
    const flags = { ...common, dataset: 'folder', path: path.join(root, name), tasks: ['np'] };
    return (await taskSources(flags as never))[0];
  };
  t.match(await ofFolder('sample'), { dataset: 'sample', isPhantom: false });
  t.match(
    await ofFolder('My films'),
    { dataset: 'My-films', tokens: ['--dataset', 'My-films', '--path', path.join(root, 'My films')] },
    'a name as train takes it',
  );
  const refused = (flags: object, message: RegExp) =>
    t.rejects(tasksOf(flags), { code: 'ERR_INVALID_ARGUMENT', message });
  await refused({}, /Expected --dataset/);
  await refused({ dataset: 'nih' }, /Expected --path/);
  await refused({ dataset: 'nih', path: root, tasks: ['np'] }, /a folder nofind_pneumothorax or np in/);
  await refused({ dataset: 'nih', path: path.join(root, 'nep') }, /but found none/);
  await refused({ dataset: 'sample', tasks: ['ns'] }, /The sample has no task ns/);
  await refused({ dataset: 'folder', path: root }, /Expected one of --tasks, or --regions/);
  await refused({ dataset: 'nih', path: root, regions: 'a.json' }, /--regions is for/);
});

/** Films of noise in class folders, and a mask of two lungs for each. */
async function writeFilms(folder: string): Promise<void> {
  mkdirSync(path.join(folder, 'masks'), { recursive: true });
  const lungs = Uint8Array.from({ length: 32 * 32 }, (_, i) => {
    const [x, y] = [i % 32, Math.floor(i / 32)];
    return y >= 4 && y < 27 && ((x >= 4 && x < 13) || (x >= 19 && x < 28)) ? 255 : 0;
  });
  const mask = await pngOf({ width: 32, height: 32, channels: 1, data: lungs });
  let patient = 0;
  for (const [split, films] of Object.entries({ train: 3, val: 2, test: 3 }))
    for (const name of ['0NoFinding', '1Effusion']) {
      mkdirSync(path.join(folder, 'nf_e', split, name), { recursive: true });
      patient++;
      for (let i = 0; i < films; i++) {
        const file = `0000000${patient}_00${i}.png`;
        const film = await pngOf(noise(`${split}${i}${name}`, 32, 32, 1));
        writeFileSync(path.join(folder, 'nf_e', split, name, file), film);
        writeFileSync(path.join(folder, 'masks', file), mask);
      }
    }
}

t.test('the command, twice', async (t) => {
  const folder = t.testdir();
  await writeFilms(folder);
  const header = 'Image Index,Finding Label,Bbox [x,y,w,h],,,';
  writeFileSync(path.join(folder, 'boxes.csv'), `${header}\n00000006_000.png,Effusion,0,512,1024,512\n`);
  const words = [
    ...[
      'reproduce',
      'loc-attention',
      '--finding_boxes',
      'boxes.csv',
      '--dataset',
      'folder',
      '--path',
      'nf_e',
      '--tasks',
      'ne',
    ],
    ...['--backbones', 'resnet18', '--width', '8', '--lambdas', '1', '--rand_init', '--image_size', '32'],
    ...['--max_epochs', '1', '--batch', '6', '--bootstrap', '20', '--precision', 'float32'],
  ];
  const { code, stdout, stderr } = await cli(words, folder);
  t.equal(code, 0, stderr);
  t.match(stdout, /has no gradient/);
  const out = path.join(folder, 'results/reproduce/loc-attention_nf_e_ne');
  for (const file of ['table.html', 'table.csv', 'table.md', 'seed0/resnet18-w8_nf_e_ne_ce.txt'])
    t.ok(existsSync(path.join(out, file)), file);
  const rows = parse(readFileSync(path.join(out, 'table.csv'), 'utf8'), { columns: true }) as Record<
    string,
    string
  >[];
  t.strictSame(
    rows.map(({ row, status }) => [row, status]),
    [['resnet18_1', 'done']],
  );
  t.ok(rows[0]?.accuracy_best_on_test_low);

  const { run } = JSON.parse(
    readFileSync(path.join(out, 'seed0/resnet18-w8_nf_e_ne_ce/metrics.json'), 'utf8'),
  );
  const twoPatients = ['00000005', '00000005', '00000005', '00000006', '00000006', '00000006'];
  const stored = JSON.parse(readFileSync(path.join(out, 'seed0/resnet18-w8_nf_e_ne_ce/run.json'), 'utf8'));
  t.strictSame(stored.test.patients, twoPatients);
  t.match(
    readFileSync(path.join(out, 'table.html'), 'utf8'),
    /its bootstrap interval \(patients resampled\)/,
  );
  t.match(run.localisation.test, { all: { images: 1, energy: { mean: Number } }, correct: {} });
  t.match(run.localisation.test.byClass, { '0NoFinding': { images: 0 }, '1Effusion': { images: 1 } });
  t.match(
    readFileSync(path.join(out, 'seed0/resnet18-w8_nf_e_ne_ce/report.html'), 'utf8'),
    /Energy in the finding, test/,
  );

  const done = path.join(out, 'seed0/resnet18-w8_nf_e_ne_ce/run.json');
  const before = statSync(done).mtimeMs;
  rmSync(path.join(out, 'table.csv'));
  const again = await cli(words, folder);
  t.equal(again.code, 0, again.stderr);
  t.match(again.stdout, /resnet18_nf_e_ne_ce_seed0: finished already/);
  t.equal(statSync(done).mtimeMs, before, 'nothing is trained again');
  t.ok(existsSync(path.join(out, 'table.csv')));
  // A run that began with other weights is not this one.
  const inputs = path.join(out, 'inputs.json');
  t.match(JSON.parse(readFileSync(inputs, 'utf8')), { rows: { resnet18_nf_e_ne_ce_seed0: {} } });
  const other = await cli([...words, '--lr', '1e-3'], folder);
  t.equal(other.code, 1);
  t.match(other.stderr, /^ERR_RESUME: The row .*lr: 0\.00001 -> 0\.001/m);
  const none = await cli(
    words.filter((word) => word !== '--rand_init'),
    folder,
  );
  t.equal(none.code, 2);
  t.match(none.stderr, /Expected --weights resnet18=FILE or --rand_init/);
});

t.test('the published term is trained once for every t that changes no rate', async (t) => {
  const folder = t.testdir();
  await writeFilms(folder);
  const words = (thresholds: string, out: string) => [
    ...['reproduce', 'loc-attention', '--dataset', 'folder', '--path', 'nf_e', '--tasks', 'ne'],
    ...['--masks', 'masks', '--backbones', 'resnet18', '--width', '8', '--image_size', '64', '--rand_init'],
    ...['--lambdas', '0.5,adaptive', '--thresholds', thresholds, '--out_dir', out],
    ...['--max_epochs', '2', '--batch', '2', '--lr', '1e-3', '--bootstrap', '20', '--precision', 'float32'],
  ];
  const at = (out: string, ...parts: string[]) => path.join(folder, out, 'loc-attention_nf_e_ne', ...parts);
  const folders = (out: string) =>
    readdirSync(at(out, 'seed0'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  const shared = await cli(words('0.1,0.3,0.9', 'shared'), folder);
  t.equal(shared.code, 0, shared.stderr);
  t.strictSame(folders('shared'), ['resnet18-w8_nf_e_ne_la0.5_t0.1', 'resnet18-w8_nf_e_ne_laa_t0.1']);
  t.match(shared.stdout, /la0\.5_t0\.9_seed0: the same training as resnet18_nf_e_ne_la0\.5_t0\.1_seed0/);
  t.match(
    readFileSync(at('shared', 'seed0', 'resnet18-w8_nf_e_ne_la0.5_t0.1', 'history.csv'), 'utf8'),
    /,attention_t0\.3,attention_t0\.9/,
  );
  const table = readFileSync(at('shared', 'table.csv'), 'utf8');
  t.notMatch(table, /not-trained/);

  // Trained for itself, a t comes to the very same predictions.
  const alone = await cli(words('0.9', 'alone'), folder);
  t.equal(alone.code, 0, alone.stderr);
  const predictionsOf = (out: string, name: string) => {
    const { validation, test } = JSON.parse(readFileSync(at(out, 'seed0', name, 'run.json'), 'utf8'));
    return { validation, test };
  };
  t.strictSame(
    predictionsOf('alone', 'resnet18-w8_nf_e_ne_la0.5_t0.9'),
    predictionsOf('shared', 'resnet18-w8_nf_e_ne_la0.5_t0.1'),
  );

  const again = await cli([...words('0.1,0.3,0.9', 'shared'), '--json'], folder);
  t.equal(again.code, 0, again.stderr);
  t.equal(linesOf(again).filter(({ type }) => type === 'start').length, 0, 'nothing is trained again');
  t.equal(readFileSync(at('shared', 'table.csv'), 'utf8'), table);
  // A t that no run has logged yet is trained; the others are as they were.
  const more = await cli([...words('0.1,0.5', 'shared'), '--json'], folder);
  t.equal(more.code, 0, more.stderr);
  t.equal(linesOf(more).filter(({ type }) => type === 'start').length, 2);
  t.equal(folders('shared').length, 4);
  // A run that was begun before there was another t goes on as it was begun.
  const begun = (file: string) => at('alone', 'seed0', 'resnet18-w8_nf_e_ne_la0.5_t0.9', file);
  rmSync(begun('run.json'));
  const was = ['history.csv', 'options.json'].map((file) => readFileSync(begun(file), 'utf8'));
  // Nor do options lead astray that training has refused, in whatever way they came there.
  writeFileSync(
    begun('options.json'),
    JSON.stringify({ ...JSON.parse(was[1] ?? ''), log_thresholds: [0.7] }),
  );
  const grown = await cli(words('0.9,0.3', 'alone'), folder);
  t.equal(grown.code, 0, grown.stderr);
  t.match(grown.stdout, /Going on from the last checkpoint: epoch 3/);
  t.strictSame(
    ['history.csv', 'options.json'].map((file) => readFileSync(begun(file), 'utf8')),
    was,
  );
  const record = JSON.parse(readFileSync(begun('run.json'), 'utf8'));
  const { argv } = record.command.match(/^cxr-gaze (?<argv>.*)$/).groups as { argv: string };
  t.match(argv, / --thresh 0\.9 (?!.*--log_thresholds)/, 'the command that the run can be gone on with');
  t.strictSame(record.options, JSON.parse(was[1] ?? ''), 'what was trained, not what was planned');
  const refused = await cli([...argv.split(' '), '--log_thresholds', '0.2', '--resume'], folder);
  t.match(refused, { code: 1, stderr: /ERR_RESUME: .*logThresholds: \[\] -> \[0\.2\]/ });
  t.equal(readFileSync(begun('options.json'), 'utf8'), was[1], 'what was refused is not recorded');
  // A training whose history cannot be read serves no other.
  writeFileSync(begun('history.csv'), 'nothing\n');
  const others = await cli(words('0.9,0.7', 'alone'), folder);
  t.equal(others.code, 0, others.stderr);
  t.ok(existsSync(at('alone', 'seed0', 'resnet18-w8_nf_e_ne_la0.5_t0.7', 'run.json')));
});

t.test('interrupted, it goes on to the table of an unbroken command', async (t) => {
  const folder = t.testdir();
  await writeFilms(folder);
  const words = [
    ...['reproduce', 'loc-attention', '--dataset', 'folder', '--path', 'nf_e', '--tasks', 'ne'],
    ...['--masks', 'masks'],
    ...['--backbones', 'resnet18', '--width', '8', '--image_size', '64', '--rand_init'],
    ...['--lambdas', '1,0.5', '--thresholds', '0.1,0.3', '--attention', 'differentiable'],
    ...['--max_epochs', '1', '--batch', '2', '--lr', '1e-3', '--bootstrap', '20', '--precision', 'float32'],
  ];
  const out = (...parts: string[]) => path.join(folder, 'results/reproduce/loc-attention_nf_e_ne', ...parts);
  const table = () => readFileSync(out('table.csv'), 'utf8');
  const statuses = () =>
    (parse(table(), { columns: true }) as Record<string, string>[]).map(({ row, status }) => [row, status]);
  const first = out('seed0/resnet18-w8_nf_e_ne_ce/run.json');
  // In the only epoch of the second run.
  const when = ({ type }: { type: string }) => type === 'start' && existsSync(first);
  const stopped = await interrupted(words, folder, { when, signal: 'SIGINT' });
  t.equal(stopped.code, 130);
  t.match(stopped.stderr, /The same command goes on/);
  const of = (status: string) => [
    ['resnet18_1', 'done'],
    ['resnet18_0.5', status],
  ];
  t.strictSame(statuses(), of('not-trained'));
  const trained = statSync(first).mtimeMs;

  const gone = await cli(words, folder);
  t.equal(gone.code, 0, gone.stderr);
  t.match(gone.stdout, /resnet18_nf_e_ne_ce_seed0: finished already/);
  t.match(gone.stdout, /Going on from the last checkpoint/);
  t.notMatch(gone.stdout, /has no gradient/, 'the differentiable form has one');
  t.equal(statSync(first).mtimeMs, trained);
  t.strictSame(statuses(), of('done'));

  const broken = out('seed0/resnet18-w8_nf_e_ne_la0.5_t0.1_soft');
  const history = () => readFileSync(path.join(broken, 'history.csv'), 'utf8');
  const was = [table(), history()];
  rmSync(broken, { recursive: true });
  const unbroken = await cli(words, folder);
  t.equal(unbroken.code, 0, unbroken.stderr);
  t.notMatch(unbroken.stdout, /Going on from/);
  t.strictSame([table(), history()], was, 'the run that was interrupted is the one that was not');
});

t.test('what a later run cannot open is told before the first one is trained', async (t) => {
  const folder = t.testdir({ 'no-table.json': '{', 'no-weights.pth': 'none' });
  await writeFilms(folder);
  const at = (name: string) => path.join(folder, name);
  const runs = attentionRuns({ ...grid, backbones: ['resnet18'], lambdas: [1, 0.5], seeds: [0] });
  const plansOf = (flags: Readonly<Record<string, string>>, weights?: string) => {
    const place = {
      ...{ folder: 'out', overwrite: false, json: false, attention: 'published' as const, thresholds: [0.3] },
      data: ['--dataset', 'nf_e', '--path', at('nf_e')],
      common: new Map(
        Object.entries({ width: '8', image_size: '32', ...flags }).map(([name, value]) => [
          name,
          [`--${name}`, value],
        ]),
      ),
      weightsOf: () => weights,
    };
    if (weights === undefined) place.common.set('rand_init', ['--rand_init']);
    return runs.map((run) => planAttention(place, run));
  };
  const check = async (flags: Readonly<Record<string, string>>, weights?: string) => {
    const plans = plansOf(flags, weights);
    const data = await openAttentionData((plans[0] as PlannedAttention).flags);
    return failure(new InputCheck().attention(plans, data));
  };
  const masks = at('masks');
  const task = { task: 'ne' };
  const refused = async (found: Promise<Error>, code: string, message: RegExp) =>
    t.match(await found, { code, message });
  await refused(check({ ...task, masks: at('maks') }), 'ERR_FILE', /Cannot open the folder .*maks/);
  await refused(check({ ...task, unet: at('nothing') }), 'ERR_FILE', /nothing could not be examined/);
  await refused(check({ ...task, unet: at('no-weights.pth') }), 'ERR_CHECKPOINT', /no-weights\.pth/);
  await refused(check({ regions: at('no-table.json'), masks }), 'ERR_TABLE', /no-table\.json/);
  await refused(check({ ...task, masks, finding_boxes: at('none.csv') }), 'ERR_FILE', /none\.csv/);
  await refused(check({ ...task, masks }, at('gone.pth')), 'ERR_FILE', /gone\.pth/);
  await refused(check({ ...task, masks }, at('no-weights.pth')), 'ERR_CHECKPOINT', /no-weights\.pth/);

  // Also where films without a mask may be left out: every class needs some that have one.
  const of = (...films: readonly string[]) => {
    const some = at(`masks-of-${films.length}`);
    mkdirSync(some);
    for (const film of films)
      writeFileSync(path.join(some, film), readFileSync(path.join(masks, '00000001_000.png')));
    return { ...task, masks: some, on_error: 'skip' };
  };
  const one = ['00000001_000.png', '00000003_000.png', '00000004_000.png'];
  await refused(check(of('nobody.png')), 'ERR_DATASET', /6 of 6 masks of nf_e train are missing/);
  await refused(check(of(...one)), 'ERR_DATASET', /each class of nf_e train but found none for 1Effusion:/);
  const skipping = plansOf(of(...one, '00000002_001.png'));
  t.strictSame(
    skipping.map(({ flags: { masks: folder } }) => path.basename(folder ?? '')),
    ['masks-of-4', 'masks-of-4', 'masks-of-4'],
    'cross-entropy learns from the same films',
  );
  await new InputCheck().attention(
    skipping,
    await openAttentionData((skipping[0] as PlannedAttention).flags),
  );
  const good = plansOf({ ...task, masks });
  t.equal(good[0]?.flags.masks, undefined);
  await new InputCheck().attention(good, await openAttentionData((good[0] as PlannedAttention).flags));

  rmSync(path.join(masks, '00000003_001.png'));
  rmSync(path.join(masks, '00000001_000.png'));
  const words = [
    ...['reproduce', 'loc-attention', '--dataset', 'folder', '--path', 'nf_e', '--tasks', 'ne'],
    ...['--masks', 'masks', '--backbones', 'resnet18', '--width', '8', '--image_size', '32', '--rand_init'],
    ...['--lambdas', '1,0.5', '--thresholds', '0.1', '--max_epochs', '1', '--batch', '6'],
  ];
  const { code, stderr } = await cli(words, folder);
  t.equal(code, 1);
  t.match(stderr, /^ERR_DATASET: 1 of 6 masks of nf_e train, 1 of 4 masks of nf_e val are missing:$/m);
  t.match(
    stderr,
    /^ +masks of nf_e train: \S+00000001_000\.png\n +masks of nf_e val: \S+00000003_001\.png$/m,
  );
  t.notOk(existsSync(at('results')), 'cross-entropy, which needs none, is not trained either');

  const skipped = await cli([...words, '--lambdas', '1', '--bootstrap', '0', '--on_error', 'skip'], folder);
  t.equal(skipped.code, 0, skipped.stderr);
  const out = at('results/reproduce/loc-attention_nf_e_ne');
  const told = /1 of 6 masks of nf_e train are missing: \S+00000001_000\.png.*; these films are left out/;
  const written = readFileSync(path.join(out, 'table.md'), 'utf8');
  t.match(written, /images: train 5, validation 3, test 6/, 'what was learned from');
  t.match(written, told);
  const run = path.join(out, 'seed0/resnet18-w8_nf_e_ne_ce');
  const { notices } = JSON.parse(readFileSync(path.join(run, 'metrics.json'), 'utf8')).run;
  t.match(notices, [
    { code: 'mask-missing', message: told },
    { code: 'mask-missing', message: /nf_e val/ },
  ]);
  t.match(readFileSync(path.join(run, 'report.html'), 'utf8'), told, 'cross-entropy alone, too');

  rmSync(at('nf_e/test'), { recursive: true });
  t.match(await cli([...words, '--finding_boxes', 'none.csv', '--out_dir', 'other'], folder), {
    code: 2,
    stderr: /nf_e has no test split, so there is nothing to tabulate/,
  });
});
