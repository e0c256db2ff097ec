import t from 'tap';
import { dataKind } from '../../lib/cli/data-options.js';
import { splitFileName } from '../../lib/cli/datasets.js';
import {
  asChoice,
  asDevice,
  asInteger,
  asNumber,
  asNumbers,
  asText,
  collect,
  normaliseFlags,
} from '../../lib/cli/options.js';
import { slug } from '../../lib/cli/png.js';
import { duration, Progress } from '../../lib/cli/progress.js';
import { parseTrain } from '../../lib/cli/reproduce/plan.js';
import { Output, type Session } from '../../lib/cli/session.js';
import {
  bootstrapOf,
  checkTrainFlags,
  fitOptions,
  type TrainFlags,
  thresholdsOf,
} from '../../lib/cli/train-flags.js';

t.test('flags may be written with dashes or underscores; values stay as they are', async (t) => {
  t.same(normaliseFlags(['train', '--data-dir', 'a-b', '--rw_method=x-y', '--n_TTA', '2', '-h']), [
    'train',
    '--data_dir',
    'a-b',
    '--rw_method=x-y',
    '--tta',
    '2',
    '-h',
  ]);
  t.same(normaliseFlags(['--max-epochs=3', '--', '--a-b']), ['--max_epochs=3', '--', '--a-b']);
});

t.test('values are read with their ranges', async (t) => {
  t.equal(asNumber({ above: 0 })('1e-4'), 1e-4);
  t.throws(() => asNumber({ above: 0 })('0'), { message: /a number above 0/ });
  t.throws(() => asNumber()(''), { message: /a number/ });
  t.throws(() => asNumber({ min: 0, max: 1 })('1.5'), { message: /from 0 to 1/ });
  t.equal(asInteger({ min: 1 })('12'), 12);
  for (const bad of ['1.5', '0', 'x', '1e3', '']) {
    t.throws(() => asInteger({ min: 1 })(bad), { message: /a whole number of at least 1/ });
  }
  t.same(asNumbers(2, 2)('100,25'), [100, 25]);
  for (const bad of ['1', '1,2,3', '1,', 'a,b', '-1,2']) {
    t.throws(() => asNumbers(2, 2)(bad), { message: /Expected 2 numbers/ });
  }
  t.throws(() => asText(' '), { message: /not empty/ });
  t.equal(asChoice(['', 'sklearn', 'cb'])(''), '');
  t.throws(() => asChoice(['ce', 'focal', 'ldam'])('lddam'), { message: /Did you mean 'ldam'/ });
  t.equal(asDevice('cuda:1'), 'cuda:1');
  t.throws(() => asDevice('gpu'), { message: /'cpu', 'cuda' or 'cuda:N'/ });
  const twice = collect(asText);
  t.same(twice('b', twice('a', undefined)), ['a', 'b']);
});

t.test('α of MixUp may be 0 and below, as in the library', async (t) => {
  for (const [text, alpha] of [
    ['0', 0],
    ['-1', -1],
  ] as const) {
    const { flags } = parseTrain('baseline', ['--mixup', '--mixup_alpha', text]);
    t.equal(flags.mixup_alpha, alpha);
    t.match(fitOptions(flags), { mixing: { kind: 'mixup', alpha } });
  }
});

t.test('a data flag that would be without effect is refused', async (t) => {
  const usage = { code: 'ERR_INVALID_ARGUMENT' };
  t.equal(dataKind({ csv: 'a.csv' }), 'csv');
  t.equal(dataKind({ dataset: 'sample' }), 'sample');
  t.throws(() => dataKind({}), { ...usage, message: /--csv FILE for a table, or --dataset NAME/ });
  t.throws(() => dataKind({ dataset: 'sample', csv: 'a.csv' }), {
    ...usage,
    message: /--csv does not belong/,
  });
  t.throws(() => dataKind({ dataset: 'nih-cxr-lt', data_dir: 'x', where: [] }), usage);
  t.throws(() => dataKind({ dataset: 'nih-cxr-lt' }), { ...usage, message: /--data_dir FOLDER/ });
  t.throws(() => dataKind({ dataset: 'csv' }), { ...usage, message: /--csv FILE/ });
  t.throws(() => dataKind({ dataset: 'folder' }), usage);
});

const flags: TrainFlags = {
  ...{ out_dir: 'results', model_name: 'resnet18', head: 'bottleneck64', image_size: 32, rand_init: true },
  ...{
    width: 64,
    loss: 'ce',
    rw_method: '',
    cb_beta: 0.9999,
    fl_gamma: 2,
    drw_epoch: 10,
    drw_lr_factor: 0.1,
  },
  ...{ bal_mixup_distribution: 'alpha-one', decoupling_method: '', crt_layers: 'head', tau: -4 },
  ...{ mixup_alpha: 0.2, max_epochs: 1, batch_size: 4, lr: 1e-3, lr_decay: 'none', patience: 15 },
  ...{ seed: 0, features: 'none' },
  ...{ kd_weight: 0.01, group_thresholds: [1000, 100], tta: 0, bootstrap: 0, keep: 'recent' },
  ...{ on_error: 'throw', device: 'cpu', precision: 'float32' },
};

t.test('flags of training that do not go together are refused before anything is read', async (t) => {
  checkTrainFlags(flags, 'gazelt');
  const cases: readonly (readonly [Partial<TrainFlags>, RegExp])[] = [
    [{ rand_init: false }, /--weights FILE or --rand_init.*resnet50-11ad3fa6\.pth/],
    [{ weights: 'a.pth' }, /--weights and --rand_init exclude/],
    [{ weights_key: 'net' }, /--weights_key is without effect without --weights/],
    [{ overwrite: true, resume: true }, /--overwrite and --resume exclude/],
    [{ mixup: true, bal_mixup: true }, /--mixup and --bal_mixup exclude/],
    [{ decoupling_method: 'cRT', rand_init: false }, /Expected --decoupling_weights with .* cRT/],
    [{ decoupling_weights: 'a.pt' }, /--decoupling_weights is without effect/],
    [{ decoupling_method: 'tau_norm', decoupling_weights: 'a.pt' }, /--rand_init is without effect/],
    [
      { decoupling_method: 'cRT', decoupling_weights: 'a.pt', rand_init: false, weights: 'b.pt' },
      /--weights is without effect/,
    ],
    [
      { decoupling_method: 'cRT', decoupling_weights: 'a.pt', rand_init: false, bal_mixup: true },
      /cRT and --bal_mixup exclude/,
    ],
    [
      {
        ...{ decoupling_method: 'tau_norm', decoupling_weights: 'a.pt', rand_init: false },
        features: 'gazelt',
      },
      /--features is without effect/,
    ],
    [{ group_thresholds: [10, 100] }, /--group_thresholds HEAD,TAIL/],
    [{ bootstrap: 5 }, /--bootstrap 0 or at least 20/],
    [{ features: 'gazelt' }, /--features_dir FOLDER/],
    [{ features_dir: 'x' }, /without effect with --features none/],
    [{ features: 'gazelt', features_dir: 'x', head: 'linear' }, /--head bottleneck64/],
    [{ features: 'gazelt', features_dir: 'x', on_error: 'skip' }, /--on_error throw/],
    [{ features: 'gazelt', features_dir: 'x', kd_shares: [1] }, /2 numbers for --kd_shares/],
    [{ features: 'gazeradar', features_dir: 'x', kd_shares: [0.5, 0.5] }, /1 number for --kd_shares/],
  ];
  for (const [change, message] of cases) {
    t.throws(() => checkTrainFlags({ ...flags, ...change }, 'gazelt'), {
      code: 'ERR_INVALID_ARGUMENT',
      message,
    });
  }
  const { features: _, ...without } = flags;
  t.throws(() => checkTrainFlags(without, 'gazelt'), { message: /--features none, gazelt or a prefix/ });
  checkTrainFlags(without, 'baseline');
  const decoupled = { decoupling_weights: 'a.pt', rand_init: false } as const;
  checkTrainFlags({ ...flags, ...decoupled, decoupling_method: 'cRT' }, 'gazelt');
  checkTrainFlags({ ...without, ...decoupled, decoupling_method: 'tau_norm' }, 'gazelt');
  t.same(thresholdsOf([100, 25]), { head: 100, tail: 25 });
  t.equal(bootstrapOf(0), false);
});

t.test('names become parts of file names', async (t) => {
  t.equal(slug('images/No Finding/a?.png'), 'images-No-Finding-a-.png');
  t.equal(slug('../..'), 'image');
  t.equal(splitFileName('my split/é'), 'my-split-');
  t.equal(splitFileName('--'), 'split');
});

t.test('progress redraws a bar on a terminal and writes few lines elsewhere', async (t) => {
  const written: string[] = [];
  const terminal = { isTTY: true, columns: 70, write: (text: string) => written.push(text) };
  const bar = new Progress(terminal, { label: 'epoch 1/2', total: 10, unit: 'steps' });
  bar.update(5, 'loss 1.000');
  bar.update(6);
  t.equal(written.length, 1, 'not redrawn at once');
  const line = written[0] as string;
  t.ok(line.startsWith('\r\x1b[2Kepoch 1/2 [============            ] 5/10 steps  loss 1.000'), line);
  t.ok(line.length <= 69 + '\r\x1b[2K'.length, 'fits the terminal');
  Progress.clear();
  t.equal(written.at(-1), '\r\x1b[2K');
  Progress.clear();
  t.equal(written.length, 2, 'nothing is left to wipe');
  t.ok(bar.end() >= 0);

  const plain: string[] = [];
  const piped = new Progress({ write: (text: string) => plain.push(text) }, { label: 'x', total: 3 });
  for (const done of [1, 2, 3]) piped.update(done);
  piped.end();
  t.same(plain, [], 'what is over soon writes nothing');
  t.same([7, 65, 3723].map(duration), ['7 s', '1:05', '1:02:03']);
});

t.test('rate and time left are those since the first update', async (t) => {
  const written: string[] = [];
  let now = 0;
  const stream = { write: (text: string) => written.push(text) };
  const bar = new Progress(stream, { label: 'evaluating', total: 180, now: () => now });
  for (const [at, done] of [
    [12_000, 16],
    [23_000, 38],
    [34_000, 60],
  ] as const) {
    now = at;
    bar.update(done);
  }
  t.same(written, [
    'evaluating 16/180 images\n',
    'evaluating 38/180 images, 2.0/s 1:11 left\n',
    'evaluating 60/180 images, 2.0/s 1:00 left\n',
  ]);
  t.equal(bar.end(), 34);
  const slow = new Progress(stream, { label: 'epoch', total: 4, unit: 'steps', now: () => now });
  slow.update(1);
  now += 20_000;
  slow.update(2);
  t.equal(written.at(-1), 'epoch 2/4 steps, 20 s each 40 s left\n');
});

t.test('with --json only objects are printed', async (t) => {
  const printed: string[] = [];
  const noted: string[] = [];
  const session: Session = {
    signal: new AbortController().signal,
    print: (line) => printed.push(line),
    note: (line) => noted.push(line),
    progress: (label, total) => new Progress({ write: () => {} }, { label, total }),
  };
  const json = new Output(session, true);
  json.say('for people');
  json.event({ type: 'a', n: 1 });
  json.warn('odd', 'something is odd');
  t.same(
    printed.map((line) => JSON.parse(line)),
    [
      { type: 'a', n: 1 },
      { type: 'warning', kind: 'odd', message: 'something is odd' },
    ],
  );
  t.same(noted, ['warning: something is odd']);
  const text = new Output(session, false);
  text.event({ type: 'b' });
  text.say('for people');
  t.equal(printed.length, 3);
  t.equal(printed.at(-1), 'for people');
});
