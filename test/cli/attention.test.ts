/** loc-attention's programs on a folder of class folders, by the command line. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { LungSegmenter } from '../../lib/systems/segmenter/segmenter.js';
import { cli, linesOf } from '../support/cli.js';
import { tinyPixels, tinySize } from '../support/tiny.js';

t.setTimeout(600_000);

const folder = t.testdir();
const at = (...parts: string[]) => path.join(folder, ...parts);
const read = (...parts: string[]) => readFileSync(at(...parts), 'utf8');
const classes = ['0NoFinding', '1Effusion'];
const data = path.join('data', 'NIH', 'nofind_effusion');

/** Called as NIH's are: all images of one class in one split are of one patient. */
function filmOf(split: string, label: number, i: number): string {
  return `0000000${2 * ['train', 'val', 'test'].indexOf(split) + label}_00${i}.png`;
}

async function png(file: string, pixels: Uint8Array): Promise<void> {
  mkdirSync(path.dirname(file), { recursive: true });
  const raw = { width: tinySize, height: tinySize, channels: 1 as const };
  await sharp(pixels, { raw }).png().toFile(file);
}

t.before(async () => {
  const mask = Uint8Array.from({ length: tinySize ** 2 }, (_, i) => {
    const [x, y] = [i % tinySize, Math.floor(i / tinySize)];
    return (x >= 4 && x < 13 && y >= 4 && y < 27) || (x >= 19 && x < 28 && y >= 4 && y < 27) ? 255 : 0;
  });
  for (const [split, films] of Object.entries({ train: 3, val: 2, test: 2 }))
    for (const [label, name] of classes.entries())
      for (let i = 0; i < films; i++) {
        const film = filmOf(split, label, i);
        await png(at(data, split, name, film), tinyPixels(split, i, label));
        await png(
          at('masks', film),
          split === 'val' && label === 1 && i === 0 ? new Uint8Array(mask.length) : mask,
        );
      }
  await png(at('masks', 'nobody.png'), mask);
});

const network = [
  '--backbone',
  'resnet18',
  '--width',
  '8',
  '--image_size',
  '64',
  '--rand_init',
  '--gpu',
  'cpu',
];
const short = [
  '--batch',
  '3',
  '--lr',
  '1e-3',
  '--max_epochs',
  '1',
  '--precision',
  'float32',
  '--bootstrap',
  '0',
];
const program = ['train', 'loc-attention', '--dataset', 'nih', '--path', `${data}/`, ...network, ...short];
const soft = [
  '--attention',
  'differentiable',
  '--penalise_outside',
  '1',
  '--lamda',
  '0.5',
  '--masks',
  'masks',
];

t.test(
  'train loc-attention leaves log and checkpoint under the names of the original, and a run',
  async (t) => {
    const ended = await cli(
      [...program, ...soft, '--task', 'ne', '--log_thresholds', '0.1', '--json'],
      folder,
    );
    t.equal(ended.code, 0, ended.stderr);
    const lines = linesOf(ended);
    t.match(
      lines.filter(({ type }) => type === 'data'),
      [{ split: 'train', classes, counts: [3, 3] }, { split: 'val', counts: [2, 2] }, { split: 'test' }],
    );
    const lungs = lines.filter(({ type }) => type === 'lungs');
    t.match(lungs, [
      { images: 6, whole: 6 },
      { images: 4, whole: 3, none: 1 },
    ]);
    t.match(ended.stderr, /1 of 4 images have no lung/);
    const name = 'resnet18-w8_nih_ne_la0.5_t0.3_soft_mu1.0';
    const { run } = JSON.parse(read('results', name, 'metrics.json'));
    const nobody = { count: 0, first: [] };
    const without = `val/1Effusion/${filmOf('val', 1, 0)}`;
    t.match(run.lungs, [
      { dataset: 'nofind_effusion train', images: 6, whole: 6, none: nobody, one: nobody },
      { images: 4, whole: 3, none: { count: 1, first: [without] }, one: nobody, implausible: nobody },
    ]);
    const warned = run.lungs.flatMap(({ warnings }: { warnings: readonly string[] }) => warnings);
    t.match(warned, [/masks: 1 masks belong to no image: '?nobody'?/, /1 of 4 images have no lung/]);
    t.equal(warned.length, 2, 'the masks of the other splits are not strange');
    const report = read('results', name, 'report.html');
    t.ok(report.includes(`whole 3 of 4; none 1 (${without})`), 'the report tells it');
    const log = read('results', `${name}.txt`).split('\n');
    t.match(log[0], /^Execution Time: \d+\.\d+(e-\d+)? minutes$/);
    t.equal(log.filter((line) => line.startsWith('False Omission Rate (FOR):  ')).length, 2);
    t.equal(lines.at(-1)?.bestEpoch, 1);
    t.ok(existsSync(at('results', `${name}.safetensors`)), 'the weights of the best epoch');
    const [header] = read('results', name, 'history.csv').split('\n');
    t.equal(
      header,
      'epoch,phase,loss,cross_entropy,attention,outside,lambda,accuracy,balanced_acc,mcc,auroc,empty_regions,attention_t0.1',
    );
    for (const file of ['checkpoints', 'cam', 'metrics.json', 'options.json', 'report.html'])
      t.ok(existsSync(at('results', name, file)), file);

    const evaluated = await cli(
      ['evaluate', `results/${name}`, '--out_dir', 'out', '--bootstrap', '0'],
      folder,
    );
    t.equal(evaluated.code, 0, evaluated.stderr);
    t.match(evaluated.stdout, /test, 4 images/);
    const film = path.join(data, 'test', classes[1] as string);
    const predicted = await cli(['predict', `results/${name}`, film, '--json'], folder);
    t.match(linesOf(predicted), [
      { type: 'prediction', class: /^[01]/, group: null },
      { type: 'prediction' },
    ]);
    const explained = await cli(['explain', `results/${name}`, film, '--out_dir', 'overlays'], folder);
    t.equal(explained.code, 0, explained.stderr);
    t.equal(readdirSync(at('overlays')).length, 2);
  },
);

t.test('a region without a pixel is counted and told', async (t) => {
  // Where no lung is found the box is the whole image, and nothing lies outside.
  writeFileSync(at('beside.json'), JSON.stringify({ '1Effusion': 'outside', '0NoFinding': null }));
  const ended = await cli([...program, ...soft, '--regions', 'beside.json', '--json'], folder);
  t.equal(ended.code, 0, ended.stderr);
  const message = 'The region of 1 of 4 validation images is empty: there the attention term is 0';
  t.match(ended.stderr, message);
  const epochs = linesOf(ended).filter(({ type }) => type === 'epoch');
  t.match(epochs, [{ emptyRegions: 0 }, { emptyRegions: 1 }]);
  const run = path.join('results', 'resnet18-w8_nih_beside_la0.5_t0.3_soft_mu1.0');
  t.match(read(run, 'report.html'), message);
  t.match(read(run, 'metrics.json'), message);
});

t.test(
  'the published form, with regions and class weights of its own, and once more with --resume',
  async (t) => {
    writeFileSync(at('places.json'), JSON.stringify({ '1Effusion': 'upper', '0NoFinding': null }));
    const own = ['--regions', 'places.json', '--masks', 'masks', '--lamda', '0.5', '--rw_method', 'sklearn'];
    const ended = await cli([...program, ...own], folder);
    t.equal(ended.code, 0, ended.stderr);
    t.match(ended.stdout, /The published attention term has no gradient/);
    const name = 'resnet18-w8_nih_places_la0.5_t0.3';
    t.ok(existsSync(at('results', `${name}.safetensors`)));
    const { run } = JSON.parse(read('results', name, 'metrics.json'));
    t.match(run.options, {
      ...{ attention: 'published', regions: at('places.json'), rw_method: 'sklearn', masks: at('masks') },
    });
    t.match(read('results', name, 'report.html'), /The published attention term has no gradient/);
    // The log has the best threshold of each half: the one of validation is applied to the test images.
    const bests = [...read('results', `${name}.txt`).matchAll(/^Best Threshold: (\S+)$/gm)].map(([, value]) =>
      Number(value),
    );
    const applied = JSON.parse(read('results', name, 'validation-threshold.json'));
    t.match(applied, { split: 'test', threshold: bests[0], sensitivity: Number, specificity: Number });
    t.match(ended.stdout, /test at validation's best threshold 0\.\d{3}: sensitivity \S+, specificity \S+$/m);
    const history = read('results', name, 'history.csv');
    const [header, trained] = history.split('\n').map((line) => line.split(','));
    const of = (column: string) => Number(trained?.[header?.indexOf(column) as number]);
    const [attention, entropy] = [of('attention'), of('cross_entropy')];
    t.ok(
      attention > 0 && Math.abs(of('loss') - (entropy + attention) / 2) < 1e-5,
      `${attention}, ${entropy}`,
    );
    const notes = readdirSync(at('results', name, 'checkpoints'), { recursive: true, encoding: 'utf8' });
    const recorded = notes
      .filter((file) => file.endsWith('.json'))
      .map((file) => read('results', name, 'checkpoints', file));
    t.ok(
      recorded.some((text) => /"weighting": ?"balanced"/.test(text) && /\[\s*null,\s*"upper"/.test(text)),
      'in label order',
    );

    const log = read('results', `${name}.txt`).split('\n').slice(1);
    // As if the session before had taken ten hours.
    const last = path.join('results', name, 'checkpoints', 'epoch-1');
    const state = JSON.parse(read(last, 'state.json'));
    t.ok(state.seconds > 0);
    writeFileSync(at(last, 'state.json'), JSON.stringify({ ...state, seconds: 36_000 }));
    const { files } = JSON.parse(read(last, 'manifest.json'));
    delete files['state.json'];
    writeFileSync(at(last, 'manifest.json'), JSON.stringify({ files }));
    const resumed = await cli([...program, ...own, '--resume'], folder);
    t.equal(resumed.code, 0, resumed.stderr);
    t.equal(read('results', name, 'history.csv'), history, 'what is done is not done again');
    t.strictSame(
      readdirSync(at('results')).filter((file) => file.includes('.tmp')),
      [],
      'nothing temporary is left',
    );
    const [took, ...again] = read('results', `${name}.txt`).split('\n');
    t.strictSame(again, log);
    const minutes = Number(/^Execution Time: (\S+) minutes$/.exec(took as string)?.[1]);
    t.ok(minutes > 600 && minutes < 610, `all sessions, ${minutes} minutes`);
    t.ok(JSON.parse(read('results', name, 'metrics.json')).run.seconds >= 36_000);
    t.match(await cli([...program, ...own, '--batch', '2', '--resume'], folder), {
      code: 1,
      stderr: /ERR_RESUME: .*batchSize: 3 -> 2/,
    });
  },
);

t.test(
  'missing masks are told at once, whatever the split; --on_error skip leaves their films out',
  async (t) => {
    cpSync(at('masks'), at('some-masks'), { recursive: true });
    rmSync(at('some-masks', filmOf('train', 0, 2)));
    rmSync(at('some-masks', filmOf('val', 1, 1)));
    const own = ['--task', 'ne', '--lamda', '0.5', '--masks', 'some-masks', '--results', 'some', '--json'];
    const refused = await cli([...program, ...own], folder);
    t.equal(refused.code, 1);
    t.match(
      refused.stderr,
      /ERR_DATASET: 1 of 6 masks of \S+ train, 1 of 4 masks of \S+ val are missing:\n.*00000000_002\.png.*\n.*00000003_001/m,
    );
    t.notOk(existsSync(at('some')));
    // Whose the films are says a table, also where their names say something else; an evaluation of the run finds it.
    const rows = readdirSync(at('masks')).map((name) => `${name},one`);
    writeFileSync(at('patients.csv'), ['image,patient', ...rows].join('\n'));
    const words = [...program, ...own, '--on_error', 'skip', '--patients', 'patients.csv'];
    const skipped = await cli(words, folder);
    t.match(skipped.stderr, /one \(test, train, val\)/);
    const run1 = path.join('some', 'resnet18-w8_nih_ne_la0.5_t0.3');
    t.equal(JSON.parse(read(run1, 'options.json')).patients, at('patients.csv'));
    const evaluated = await cli(['evaluate', run1, '--out_dir', 'out', '--bootstrap', '0'], folder);
    t.match(evaluated.stderr, /one \(test, train, val\)/);
    writeFileSync(at('others.csv'), read('patients.csv').replaceAll(',one', ',two'));
    const others = ['--patients', 'others.csv', '--out_dir', 'others', '--bootstrap', '0'];
    const again = await cli(['evaluate', run1, ...others], folder);
    t.match(
      again,
      { code: 0, stderr: /two \(test, train, val\)/ },
      "of the run's own films, by another table",
    );
    t.equal(skipped.code, 0, skipped.stderr);
    const lines = linesOf(skipped);
    t.match(
      lines.filter(({ type }) => type === 'lungs'),
      [{ images: 5 }, { images: 3 }],
    );
    t.match(
      lines.filter(({ kind }) => kind === 'mask-missing'),
      [
        { message: /1 of 6 masks of \S+ train are missing: .*these films are left out/ },
        { message: /1 of 4 masks of \S+ val are missing/, details: { ids: [/00000003_001\.png$/] } },
      ],
    );
    const { run } = JSON.parse(read('some', 'resnet18-w8_nih_ne_la0.5_t0.3', 'metrics.json'));
    t.match(run.lungs[0].warnings, [/1 of 6 masks .* left out/]);
    rmSync(at('some-masks'), { recursive: true });
    mkdirSync(at('some-masks'));
    cpSync(at('masks', filmOf('val', 0, 0)), at('some-masks', filmOf('val', 0, 0)));
    const none = await cli([...program, ...own, '--overwrite', '--on_error', 'skip'], folder);
    t.match(none, { code: 1, stderr: /ERR_DATASET: 6 of 6 masks of \S+ train are missing/ });
  },
);

t.test('adaptive λ, with the lungs that a segmenter finds', async (t) => {
  using segmenter = await LungSegmenter.create({ init: 'random', imageSize: 32, width: 2 });
  await segmenter.save(at('unet'));
  const own = ['--task', 'ne', '--isAdaptive', '--unet', 'unet', '--max_epochs', '2', '--json'];
  const ended = await cli([...program, ...own], folder);
  t.equal(ended.code, 0, ended.stderr);
  const lines = linesOf(ended);
  t.match(
    lines.filter(({ type }) => type === 'lungs'),
    [{ images: 6 }, { images: 4 }],
  );
  const name = 'resnet18-w8_nih_ne_laa_t0.3';
  const rows = read('results', name, 'history.csv').trim().split('\n');
  const column = rows[0]?.split(',').indexOf('lambda') as number;
  t.strictSame(
    rows.slice(1).map((row) => Number(row.split(',')[column])),
    [1, 1, 0.977, 0.977],
  );
  const { run } = JSON.parse(read('results', name, 'metrics.json'));
  t.match(run.options, { isAdaptive: true, unet: at('unet') });
});

t.test('a run of a table of the sample is evaluated again, with where it looks', async (t) => {
  const sample = ['--dataset', 'sample', '--tasks', 'ne', '--sample_per_class', '4', '--sample_seed', '3'];
  const words = ['reproduce', 'loc-attention', ...sample, '--attention', 'differentiable'];
  const one = ['--backbones', 'resnet18', '--lambdas', '0.5', '--thresholds', '0.3', '--out_dir', 'table'];
  const given = network.slice(network.indexOf('--width'));
  const ended = await cli([...words, ...one, ...given, ...short], folder);
  t.equal(ended.code, 0, ended.stderr);
  const table = 'table/loc-attention_sample_ne';
  t.match(read(table, 'table.csv'), /^resnet18_0\.5,.*done/m);
  const name = 'resnet18-w8_sample_ne_la0.5_t0.3_soft';
  const { splits, run } = JSON.parse(read(table, 'seed0', name, 'metrics.json'));
  const evaluate = ['evaluate', `${table}/seed0/${name}`, '--bootstrap', '0', '--out_dir', 'again'];
  const evaluated = await cli(evaluate, folder);
  t.equal(evaluated.code, 0, evaluated.stderr);
  t.match(evaluated.stdout, /test, where it looks: Energy in the finding, test 0\.\d/);
  const again = JSON.parse(read('again', `${name}_sample`, 'metrics.json'));
  t.strictSame(Object.keys(again.splits), ['test'], 'validation is no test');
  t.equal(again.splits.test.auroc.macro, splits.test.auroc.macro);
  t.strictSame(again.run.localisation.test, run.localisation.test);
  t.match(again.run.options, { task: 'ne', sample_seed: 3, sample_per_class: 4 });

  // Killed before its first checkpoint, a run begins from the start.
  rmSync(at(table, 'seed0', name, 'checkpoints'), { recursive: true });
  const task = sample.map((word) => (word === '--tasks' ? '--task' : word));
  const alone = ['train', 'loc-attention', ...task, '--attention', 'differentiable', '--lamda', '0.5'];
  const there = ['--seed', '0', '--results', path.join(table, 'seed0'), '--resume'];
  const resumed = await cli([...alone, ...network, ...short, ...there], folder);
  t.match(resumed, { code: 0, stderr: /holds no checkpoint yet: it begins from the start/ });

  const validation = await cli([...evaluate, '--test_split', 'val', '--overwrite'], folder);
  t.match(validation.stdout, /val, where it looks/);
  t.match(await cli([...evaluate, '--test_split', 'vla', '--overwrite'], folder), {
    code: 2,
    stderr: /There is no split 'vla'; did you mean 'val'/,
  });
});

t.test('evaluate takes frames of findings for any classifier', async (t) => {
  const header = 'Image Index,Finding Label,Bbox [x,y,w,h],,,';
  const film = filmOf('test', 1, 0);
  const speck = `${filmOf('test', 1, 1)},Effusion,0.1,0.1,1,1`;
  writeFileSync(at('boxes.csv'), `${header}\n${film},Effusion,0,512,1024,512\n${speck}\n`);
  const name = 'resnet18-w8_nih_ne_la0.5_t0.3_soft_mu1.0';
  const evaluate = ['evaluate', `results/${name}`, '--bootstrap', '20', '--out_dir', 'framed'];
  const framed = await cli([...evaluate, '--finding_boxes', 'boxes.csv'], folder);
  t.equal(framed.code, 0, framed.stderr);
  t.match(framed.stderr, /test: 1 framed findings hold no pixel of .* are left out: .*_001\.png/);
  const { run, splits } = JSON.parse(read('framed', `${name}_${path.basename(data)}`, 'metrics.json'));
  t.match(splits.test.intervals, { unit: 'patient', units: 2 });
  t.match(run.localisation.test.all, { images: 1, energy: { mean: Number } });
  t.equal(run.options.finding_boxes, at('boxes.csv'));
  const missing = await cli([...evaluate, '--overwrite', '--finding_boxes', 'nil.csv'], folder);
  t.match(missing, { code: 1, stderr: /^ERR_FILE: .*nil\.csv/m });
  t.ok(existsSync(at('framed', `${name}_${path.basename(data)}`, 'metrics.json')), 'what was there is left');
  // What a run had recorded is taken without being named, and missed without harm.
  const record = at('results', name, 'options.json');
  const options = JSON.parse(readFileSync(record, 'utf8'));
  for (const [boxes, found] of [
    [at('boxes.csv'), true],
    [at('gone.csv'), false],
  ] as const) {
    writeFileSync(record, JSON.stringify({ ...options, finding_boxes: boxes }));
    const own = await cli([...evaluate, '--overwrite'], folder);
    t.equal(own.code, 0, own.stderr);
    t.equal(/where it looks/.test(own.stdout), found);
    t.equal(/frames of findings are left out: .*gone\.csv/.test(own.stderr), !found);
  }
  writeFileSync(record, JSON.stringify(options));
  writeFileSync(at('none.csv'), `${header}\nother.png,Effusion,0,512,1024,512\n`);
  const none = await cli([...evaluate, '--overwrite', '--finding_boxes', 'none.csv'], folder);
  t.match(none, { code: 0, stderr: /none\.csv frames no finding of test's images/ });
});

t.test('train baseline --path is the cross-entropy baseline, with names that tell runs apart', async (t) => {
  const own = ['--path', data, '--nclass', '2', '--lr', '1e-3', '--max_epochs', '1', '--bootstrap', '20'];
  const started = ['train', 'baseline', '--loss', 'ce', ...own, ...network, '--precision', 'float32'];
  const ended = await cli(started, folder);
  t.equal(ended.code, 0, ended.stderr);
  const name = 'resnet18-w8_NIH_nofind_effusion_ce';
  t.match(read('results', `${name}.txt`), /^Metrics of unseen test data: $/m);
  t.notMatch(read('results', `${name}.txt`), /Specificity/);
  const { splits } = JSON.parse(read('results', name, 'metrics.json'));
  t.match(splits.test.intervals, { unit: 'patient', units: 2 });
  t.notMatch(ended.stdout, /image by image/);
  t.match(JSON.parse(read('results', name, 'options.json')), { batch: 32, attention: 'none', patience: 30 });
  t.match(await cli([...started, '--overwrite', '--drw'], folder), {
    code: 2,
    stderr: /--drw is without effect/,
  });
  t.match(await cli(['train', 'baseline', '--nclass', '2'], folder), { code: 2, stderr: /without --path/ });
  const three = started.map((token, i) => (started[i - 1] === '--nclass' ? '3' : token));
  t.match(await cli(three, folder), { code: 2, stderr: /--nclass says 3 classes but the data have 2/ });
});

t.test("the log of PVT's baseline has the heading of its own program", async (t) => {
  const pvt = ['--backbone', 'pvt_v2_b0', '--image_size', '64', '--rand_init', '--gpu', 'cpu'];
  const started = [
    'train',
    'loc-attention',
    '--dataset',
    'nih',
    '--path',
    data,
    '--attention',
    'none',
    ...pvt,
  ];
  const ended = await cli([...started, '--task', 'ne', ...short], folder);
  t.equal(ended.code, 0, ended.stderr);
  t.match(read('results', 'pvt_v2_b0_nih_ne_ce.txt'), /^Performances of unseen test data: $/m);
});

t.test('what cannot be meant is refused before anything begins', async (t) => {
  writeFileSync(at('regions.json'), JSON.stringify({ '0NoFinding': null }));
  const refused: [readonly string[], RegExp][] = [
    [[...program, '--task', 'ne', '--masks', 'masks'], /--lamda WEIGHT from 0 to 1, or --isAdaptive/],
    [[...program, ...soft, '--task', 'nepp'], /Did you mean 'nep'/],
    [[...program, ...soft, '--task', 'nep'], /--task nep has 3 classes but the data have 2/],
    [[...program, ...soft], /--task NAME, or --regions FILE/],
    [[...program, ...soft, '--regions', 'regions.json'], /'1Effusion' has no region/],
    [[...program, '--lamda', '1.5'], /from 0 to 1/],
    [[...program, ...soft, '--task', 'ne', '--dataset', '../nih'], /Expected a name of letters.*'\.\.\/nih'/],
    [
      [...program, '--lamda', '0.5', '--tau', '1', '--task', 'ne'],
      /--tau is without effect with --attention published/,
    ],
    [
      [...program, ...soft, '--task', 'ne', '--activations', 'after_relu'],
      /--activations is without effect with --backbone resnet18/,
    ],
    [
      [...program, '--attention', 'none', '--backbone', 'vgg', '--activations', 'after_relu'],
      /--activations is without effect with --attention none/,
    ],
    [[...program, '--lamda', '0.5', '--task', 'ne'], /--unet PATH.*--masks FOLDER/],
    [[...program, ...soft, '--task', 'ne', '--unet', 'u'], /exclude each other/],
    [[...program, '--attention', 'none', '--masks', 'masks'], /--masks is without effect/],
    [[...program, ...soft, '--task', 'ne', '--gpu', '97'], /Expected a GPU for --gpu 97/],
    [[...program, ...soft, '--task', 'ne', '--backbone', 'resent'], /Did you mean 'resnet'/],
    [[...program, ...soft, '--task', 'ne', '--attention', 'publish'], /Did you mean 'published'/],
  ];
  for (const [args, message] of refused) {
    const ended = await cli(args, folder);
    t.match(ended.stderr, message, args.slice(-2).join(' '));
    t.not(ended.code, 0);
  }
});
