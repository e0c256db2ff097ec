/** What a trained model is used for by the built command line: evaluate, predict, explain. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { readNpy } from '../../lib/checkpoints/npy.js';
import { pngOf } from '../../lib/cli/png.js';
import { Progress } from '../../lib/cli/progress.js';
import { Baseline } from '../../lib/systems/baseline.js';
import { loadClassifier } from '../../lib/systems/load-classifier.js';
import { LungSegmenter } from '../../lib/systems/segmenter/segmenter.js';
import { cli, linesOf } from '../support/cli.js';
import { filmFlags, smallRun, smallRunFolder, writeFilms } from '../support/small-run.js';

t.setTimeout(420_000);

const folder = t.testdir();
const run = smallRunFolder;
const at = (...parts: string[]) => path.join(folder, ...parts);
const read = (...parts: string[]) => readFileSync(at(...parts), 'utf8');

t.before(async () => {
  await writeFilms(folder);
  const trained = await cli(smallRun(1), folder);
  if (trained.code !== 0) throw new Error(trained.stderr);
});

t.test('evaluate repeats the run, and takes other splits', async (t) => {
  const again = await cli(['evaluate', run, '--bootstrap', '0', '--json'], folder);
  t.equal(again.code, 0, again.stderr);
  const before = JSON.parse(read(run, 'metrics.json'));
  for (const line of linesOf(again).filter(({ type }) => type === 'evaluation')) {
    t.equal(
      line.balancedAccuracy,
      before.splits[line.split as string].balancedAccuracy,
      line.split as string,
    );
  }
  const target = `results/evaluate/${path.basename(run)}_labels`;
  t.ok(existsSync(at(target, 'report.html')) && existsSync(at(target, 'test_summary.txt')));
  // The run was evaluated with one augmented copy.
  t.match(JSON.parse(read(target, 'metrics.json')).run.options, { tta: 1, seed: 0 });
  const refused = await cli(['evaluate', run], folder);
  t.equal(refused.code, 1);
  t.match(refused.stderr, /^ERR_EXISTS: /m);
  const val = await cli(['evaluate', run, '--test_split', 'val', '--bootstrap', '0', '--overwrite'], folder);
  t.equal(val.code, 0, val.stderr);
  t.match(val.stdout, /^val, 9 images/m);
  t.notOk(existsSync(at(target, 'test_summary.txt')), 'the old one is replaced whole');
  rmSync(at(target, 'metrics.json'));
  const foreign = await cli(['evaluate', run, '--bootstrap', '0', '--overwrite'], folder);
  t.match(foreign.stderr, /^ERR_EXISTS: .*is not a folder of evaluations and is not replaced/m);
  const where = await cli(
    ['evaluate', run, ...filmFlags, '--where', 'label=Hernia,Mass', '--bootstrap', '0', '--out_dir', 'part'],
    folder,
  );
  t.equal(where.code, 0, where.stderr);
  t.match(where.stdout, /rows are not asked for by --where/);
  const unknown = await cli(['evaluate', run, '--test_split', 'tset'], folder);
  t.equal(unknown.code, 2);
  t.match(unknown.stderr, /did you mean 'test'/);
});

t.test('a trained run begins both ways of decoupling', async (t) => {
  const decoupled = (...flags: string[]) => [
    ...['train', 'gazelt', '--features', 'none', '--group_thresholds', '4,2', '--n_TTA', '1', ...filmFlags],
    ...['--image_size', '32', '--precision', 'float32', '--bootstrap', '0', '--batch_size', '6'],
    ...['--decoupling_weights', run, ...flags, '--json'],
  ];
  // What network it is stands in the run's card: no flag says so, and none may say otherwise.
  const wider = await cli(decoupled('--decoupling_method', 'cRT', '--width', '16'), folder);
  t.equal(wider.code, 2);
  t.match(wider.stderr, /--width is 16 but the network in .*-w8_.* has 8: .*leave --width out/);
  const tau = await cli(decoupled('--decoupling_method', 'tau_norm', '--tau', '0.7'), folder);
  t.equal(tau.code, 0, tau.stderr);
  const left = linesOf(tau).find(({ type }) => type === 'done')?.folder as string;
  t.match(path.basename(left), /^labels_resnet18-w8_decoupling-tau_norm_/);
  const record = JSON.parse(readFileSync(path.join(left, 'options.json'), 'utf8'));
  t.match(record, { model_name: 'resnet18', width: 8 });
  t.notOk(existsSync(path.join(left, 'checkpoints')), 'nothing is trained');
  const again = await cli(['evaluate', left, '--bootstrap', '0', '--json'], folder);
  t.equal(again.code, 0, again.stderr);
  const normalised = JSON.parse(readFileSync(path.join(left, 'metrics.json'), 'utf8'));
  const evaluations = linesOf(again).filter(({ type }) => type === 'evaluation');
  t.equal(evaluations.length, 2);
  for (const { split, auroc } of evaluations) {
    t.equal(auroc, normalised.splits[split as string].auroc, `${split} by the model that it leaves`);
  }

  const retrained = await cli(decoupled('--decoupling_method', 'cRT', '--max_epochs', '1'), folder);
  t.equal(retrained.code, 0, retrained.stderr);
  const done = linesOf(retrained).find(({ type }) => type === 'done');
  t.match(done, { epochs: 1 });
  t.match(path.basename(done?.folder as string), /^labels_resnet18-w8_decoupling-cRT_/);
});

/** A bar that keeps what it was told. */
class Told extends Progress {
  readonly updates: (readonly [number, string])[] = [];
  readonly #then: ((done: number) => void) | undefined;

  constructor(label: string, total: number, then?: (done: number) => void) {
    super({ write: () => {} }, { label, total });
    this.#then = then;
  }

  override update(done: number, more = ''): void {
    super.update(done, more);
    this.updates.push([done, more]);
    this.#then?.(done);
  }
}

t.test('explain --method scorecam tells how far it is within a batch, and stops there', async (t) => {
  const films = readdirSync(at('films/images')).sort().slice(0, 3);
  const words = ['explain', run, ...films.map((name) => `films/images/${name}`), '--method', 'scorecam'];
  const flags = ['--top-channels', '24', '--batch_size', '2'];
  const bars: Told[] = [];
  const barOf = (then?: (done: number) => void) => (label: string, total: number) => {
    const bar = new Told(label, total, then);
    bars.push(bar);
    return bar;
  };
  const scored = [...words, ...flags, '--out_dir', 'scored'];
  const { code, stderr } = await cli(scored, folder, { progress: barOf() });
  t.equal(code, 0, stderr);
  t.equal(readdirSync(at('scored')).length, 3);
  const of = 'masked images of the batch';
  t.strictSame(bars[0]?.updates, [
    [0, ''],
    ...[[(2 * 32) / 48, `32/48 ${of}`] as const, [2, `48/48 ${of}`] as const, [2, ''] as const],
    ...[[3, `24/24 ${of}`] as const, [3, ''] as const],
  ]);

  const stop = new AbortController();
  const stopping = {
    signal: stop.signal,
    progress: barOf((done) => {
      if (done > 0) stop.abort();
    }),
  };
  const stopped = await cli([...words, ...flags, '--out_dir', 'stopped'], folder, stopping);
  t.match(stopped, { code: 1, stderr: /^ERR_ABORTED: ScoreCAM was aborted/m });
  t.equal(bars[1]?.updates.length, 2, 'between two passes of the first batch');
  t.strictSame(readdirSync(at('stopped')), []);
});

t.test("explain --activations: VGG16's last convolution before and after its ReLU", async (t) => {
  const sizes = { architecture: 'vgg16', width: 8, imageSize: 64 } as const;
  using vgg = await Baseline.create({ ...sizes, classes: ['a', 'b'], init: 'random', seed: 1 });
  await vgg.save(at('vgg'));
  const film = `films/images/${readdirSync(at('films/images')).sort()[0]}`;
  const words = ['explain', 'vgg', film, '--class', 'b', '--overwrite', '--out_dir'];
  const drawn = async (folderOf: string, ...flags: string[]) => {
    const { code, stderr } = await cli([...words, folderOf, ...flags], folder);
    t.equal(code, 0, stderr);
    return read(folderOf, path.basename(film));
  };
  const [plain, before, after] = [
    await drawn('plain'),
    await drawn('before', '--activations', 'before_relu'),
    await drawn('after', '--activations', 'after_relu'),
  ];
  t.equal(before, plain, 'the default');
  t.not(after, plain);
  for await (const { overlay } of vgg.explain(at(film), { class: 'b', activations: 'after_relu' }))
    t.equal((await pngOf(overlay)).toString(), after, 'as the library draws it');
  const refused = async (message: RegExp, model: string, ...flags: string[]) =>
    t.match(await cli(['explain', model, film, '--out_dir', 'none', ...flags], folder), {
      code: 2,
      stderr: message,
    });
  await refused(
    /VGG's 'features\.28'.*features\.26/,
    'vgg',
    '--activations',
    'after_relu',
    '--layer',
    'features.26',
  );
  await refused(/VGG's 'features\.28', here resnet18/, run, '--activations', 'before_relu');
  await refused(/after_relu/, 'vgg', '--activations', 'relu');
});

t.test('predict and explain', async (t) => {
  const films = readdirSync(at('films/images'))
    .sort()
    .slice(0, 3)
    .map((name) => `films/images/${name}`);
  const [first, second, third] = films as [string, string, string];
  const predicted = await cli(['predict', run, first, second, '--json', '--csv', 'out.csv'], folder);
  t.equal(predicted.code, 0, predicted.stderr);
  t.match(predicted.stderr, /Not for clinical use/);
  const lines = linesOf(predicted);
  t.equal(lines.length, 2);
  const probabilities = Object.values(lines[0]?.probabilities as Record<string, number>);
  t.ok(Math.abs(probabilities.reduce((a, b) => a + b, 0) - 1) < 1e-5);
  t.equal(Math.max(...probabilities), lines[0]?.probability);
  const table = read('out.csv').trim().split('\n');
  t.equal(table.length, 3);
  t.match(table[0], /^id,class,probability,group,No Finding,/);
  const shown = await cli(['predict', run, first], folder);
  t.match(shown.stdout, new RegExp(`^image.*\\n.*${path.basename(first)} +${lines[0]?.class} `));

  writeFileSync(at('bad.png'), 'not an image');
  const thrown = await cli(['predict', run, third, 'bad.png'], folder);
  t.equal(thrown.code, 1);
  t.match(thrown.stderr, /^ERR_IMAGE: .*bad\.png/m);
  const skipped = await cli(['predict', run, third, 'bad.png', '--on_error', 'skip', '--json'], folder);
  t.equal(skipped.code, 0, skipped.stderr);
  t.match(linesOf(skipped), [{ type: 'warning', kind: 'image-skipped' }, { type: 'prediction' }]);

  const explain = [
    'explain',
    run,
    first,
    second,
    '--class',
    'Hernia',
    '--layer',
    'layer3.1',
    '--method',
    'layercam',
    '--lungs',
    '0.1,0.2,0.5,0.5',
    '--out_dir',
    'maps',
  ];
  const explained = await cli([...explain, '--json'], folder);
  t.equal(explained.code, 0, explained.stderr);
  t.match(linesOf(explained), [{ type: 'explanation', explained: 'Hernia' }, { explained: 'Hernia' }]);
  for (const { inside_lungs: share } of linesOf(explained))
    t.ok(typeof share === 'number' && share >= 0 && share <= 1, 'the share of the heat within the box');
  t.equal(readdirSync(at('maps')).length, 2);
  const inside = await cli([...explain, '--inside_lungs', '--out_dir', 'inside'], folder);
  t.equal(inside.code, 0, inside.stderr);
  const [name] = readdirSync(at('maps')) as [string];
  const everywhere = await sharp(at('maps', name)).raw().toBuffer({ resolveWithObject: true });
  const within = await sharp(at('inside', name)).raw().toBuffer();
  const { width, height } = everywhere.info;
  const same = Array.from({ length: width * height }, (_, p) =>
    [0, 1, 2].every((c) => within[3 * p + c] === everywhere.data[3 * p + c]),
  );
  const isInside = (p: number) => {
    const [x, y] = [p % width, Math.floor(p / width)];
    const [left, right] = [Math.round(0.1 * width), Math.round(0.6 * width)];
    return x >= left && x < right && y >= Math.round(0.2 * height) && y < Math.round(0.7 * height);
  };
  t.ok(
    same.every((is, p) => is || !isInside(p)),
    'inside the box the same picture',
  );
  t.ok(
    within.every((value, i) => isInside(Math.floor(i / 3)) || value === within[i - (i % 3)]),
    'around it the grey film',
  );
  t.match(await cli(['explain', run, first, '--inside_lungs', '--out_dir', 'none'], folder), {
    code: 2,
    stderr: /Expected a box for --inside_lungs/,
  });
  const off = await cli([...explain, '--lungs', '0.5,0,0.6,1', '--overwrite'], folder);
  t.equal(off.code, 2);
  t.match(off.stderr, /within 0 to 1 for --lungs/);
  const speck = await cli([...explain, '--lungs', '0.5,0.5,0.0001,0.0001', '--overwrite'], folder);
  t.match(speck, { code: 2, stderr: /a box with a pixel of .* for --lungs but received 0\.5,/ });
  const segmenter = await LungSegmenter.create({ init: 'random', imageSize: 32, width: 4 });
  await segmenter.save(at('lungs'));
  segmenter.dispose();
  for (const flags of [
    ['--masks', 'films/masks'],
    ['--unet', 'lungs'],
  ]) {
    const boxed = await cli(
      ['explain', run, first, ...flags, '--out_dir', 'maps', '--overwrite', '--json'],
      folder,
    );
    t.equal(boxed.code, 0, boxed.stderr);
    t.match(linesOf(boxed)[0], { type: 'explanation', class: String });
    if (flags[0] === '--masks') t.match(linesOf(boxed)[0], { inside_lungs: Number });
  }
  // The map itself, a number for each pixel of the picture.
  const drawn = ['--method', 'layercam', '--layer', 'layer3.1', '--class', 'Hernia', '--arrays', '--json'];
  const arrays = await cli(['explain', run, first, second, ...drawn, '--out_dir', 'arrays'], folder);
  t.equal(arrays.code, 0, arrays.stderr);
  const stems = [first, second].map((film) => path.parse(film).name);
  t.strictSame(
    readdirSync(at('arrays')).sort(),
    stems.flatMap((stem) => [`${stem}.npy`, `${stem}.png`]),
  );
  using model = await loadClassifier(at(run));
  const maps = model.explain([at(first), at(second)], {
    method: 'layercam',
    layer: 'layer3.1',
    class: 'Hernia',
  });
  const events = linesOf(arrays);
  for await (const { map } of maps) {
    const { array, file } = events.shift() as { array?: string; file?: string };
    t.strictSame(await readNpy(array as string), {
      ...{ dtype: 'float32', shape: [map.height, map.width], data: map.data },
    });
    const picture = await sharp(file).metadata();
    t.strictSame([picture.height, picture.width], [map.height, map.width]);
  }
  rmSync(at('arrays', `${stems[0]}.png`));
  const kept = await cli(['explain', run, first, ...drawn, '--out_dir', 'arrays'], folder);
  t.match(
    kept,
    { code: 1, stderr: /ERR_EXISTS: .*\.npy is there already/ },
    'an array is not overwritten either',
  );
  const alone = ['explain', run, first, '--class', 'Effusion', '--out_dir', 'arrays'];
  t.match(
    await cli(alone, folder),
    { code: 1, stderr: /ERR_EXISTS: .*\.npy is there already/ },
    'no picture beside the map of another class',
  );
  const replaced = await cli([...alone, '--overwrite'], folder);
  t.equal(replaced.code, 0, replaced.stderr);
  t.strictSame(readdirSync(at('arrays')).sort(), [
    `${stems[0]}.png`,
    ...[`${stems[1]}.npy`, `${stems[1]}.png`],
  ]);

  // Lungs that deserve a look are told as segment tells them.
  mkdirSync(at('odd'));
  const side = (lung: (x: number, y: number) => boolean) =>
    pngOf({
      ...{ width: 64, height: 64, channels: 1 },
      data: Uint8Array.from({ length: 64 * 64 }, (_, i) => (lung(i % 64, Math.floor(i / 64)) ? 255 : 0)),
    });
  const lungs = {
    [first]: await side((x, y) => x > 4 && x < 28 && y > 8 && y < 48),
    [second]: await side(() => false),
    [third]: await side((x, y) => x > 28 && x < 36 && y > 28 && y < 36),
  };
  for (const [film, mask] of Object.entries(lungs)) writeFileSync(at('odd', path.basename(film)), mask);
  const looked = await cli(
    ['explain', run, first, second, third, '--masks', 'odd', '--out_dir', 'looked', '--json'],
    folder,
  );
  t.equal(looked.code, 0, looked.stderr);
  t.match(linesOf(looked), [
    { type: 'explanation', lungs: 'one', inside_lungs: Number },
    { type: 'explanation', lungs: 'none' },
    { type: 'explanation', lungs: 'implausible', reasons: [/covers/] },
    { type: 'warning', kind: 'no-lung', message: /1 of 3 images have no lung, so no box is drawn/ },
    { type: 'warning', kind: 'one-lung', message: /1 of 3 images have lungs on one side only/ },
    { type: 'warning', kind: 'implausible-lungs', message: /1 of 3 images have an implausible box/ },
  ]);
  const both = ['--masks', 'films/masks', '--unet', 'lungs', '--overwrite'];
  const two = await cli(['explain', run, first, ...both, '--out_dir', 'maps'], folder);
  t.equal(two.code, 2);
  t.match(two.stderr, /--masks and --unet exclude each other/);
  t.equal((await cli(explain, folder)).code, 1, 'overlays that are there are not overwritten');
  const wrong = await cli(['explain', run, first, '--class', 'Hernai', '--out_dir', 'maps'], folder);
  t.equal(wrong.code, 2);
  t.match(wrong.stderr, /Hernia/);
});
