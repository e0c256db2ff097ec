import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import { readNpy } from '../../lib/checkpoints/npy.js';
import { phantom } from '../../lib/data/phantom/phantom.js';
import { pngOf } from '../../lib/data/png.js';
import { FilmFiles } from '../../lib/gaze/film-files.js';
import { focalCluster } from '../../lib/gaze/focal-cluster.js';
import { readingPoints, renderHeatmaps } from '../../lib/gaze/heatmap.js';
import type { Reading } from '../../lib/gaze/reading.js';
import { writeHeatmaps } from '../../lib/gaze/render-set.js';
import { drawScanpath } from '../../lib/gaze/scanpath-picture.js';
import { teacherTargets } from '../../lib/gaze/teacher-targets.js';

const films = [0, 1, 2].map((index) => phantom({ index, size: 64 }));
const readings: readonly Reading[] = films.map(({ id, fixations }) => ({
  ...{ id, image: id, width: 64, height: 64, fixations },
}));
const [first, second] = readings as [Reading, Reading];
/** Looks at nothing in the second and third window. */
const pause: Reading = {
  ...{ id: 'pause', image: 'pause', width: 64, height: 64 },
  fixations: [
    { x: 10, y: 10, start: 0, end: 1 },
    { x: 50, y: 20, start: 3, end: 4 },
  ],
};

async function filmFolder(t: Test): Promise<string> {
  const folder = join(t.testdir(), 'films');
  await mkdir(folder);
  for (const { id, pixels } of films) writeFileSync(join(folder, `${id}.png`), await pngOf(pixels));
  return folder;
}

const greys = async (file: string) => [...(await sharp(file).toColourspace('b-w').raw().toBuffer())];

t.test('maps of a data set: files, levels, arrays', async (t) => {
  const folder = join(t.testdir(), 'new', 'maps');
  const progress: [number, number][] = [];
  const written = await writeHeatmaps([first, pause], folder, {
    ...{ size: 32, arrays: true, whole: true, source: { table: 'phantoms' } },
    onProgress: (done, total) => progress.push([done, total]),
  });
  t.match(written, { folder, readings: 2, maps: 14, empty: { global: 0, focal: 2 }, withoutFilm: [] });
  t.same(progress, [
    [1, 2],
    [2, 2],
  ]);
  t.same(readdirSync(folder).sort(), [
    'arrays',
    'heatmaps.json',
    ...[0, 1, 2, 3].map((k) => `timewindowed_${k}`),
    'whole',
  ]);
  const spans = [
    ['global', readingPoints(first), 64],
    ['focal', readingPoints(focalCluster(first)), 128],
  ] as const;
  for (const [branch, points, sigma] of spans) {
    const [map] = await renderHeatmaps([points], { height: 32, width: 32, sigma });
    const expected = Array.from(map as Float32Array, (value) => Math.round(255 * value));
    t.same(await greys(join(folder, 'whole', `${branch}_${first.id}.png`)), expected, branch);
  }
  t.same(readdirSync(join(folder, '..')), ['maps'], 'nothing unfinished is left beside it');
  t.same(readdirSync(join(folder, 'timewindowed_1')).sort(), [
    `focal_${first.id}.png`,
    'global_pause.png',
    `global_${first.id}.png`,
  ]);
  for (const branch of ['global', 'focal'] as const) {
    const { maps } = await teacherTargets(first, { branch, size: 32 });
    const array = await readNpy(join(folder, 'arrays', `${branch}_${first.id}.npy`));
    t.strictSame([array.dtype, array.shape], ['float32', [4, 32, 32]]);
    t.strictSame(array.data, maps);
    const file = join(folder, 'timewindowed_2', `${branch}_${first.id}.png`);
    const third = maps.subarray(2 * 32 * 32, 3 * 32 * 32);
    t.strictSame(
      await greys(file),
      Array.from(third, (value) => Math.round(255 * value)),
    );
    t.match(await sharp(file).metadata(), { channels: 1, depth: 'uchar', width: 32, height: 32 });
  }
  t.match(JSON.parse(readFileSync(join(folder, 'heatmaps.json'), 'utf8')), {
    ...{ size: 32, windows: 4, convention: 'half-open', sigma: { global: 64, focal: 128 } },
    source: { table: 'phantoms' },
    entries: [
      { id: first.id, image: first.id, name: first.id },
      { name: 'pause', present: { focal: [true, false, false, true], global: [true, true, true, true] } },
    ],
  });
});

t.test('several readings of a film, film sizes, other windows', async (t) => {
  const folder = join(t.testdir(), 'maps');
  const again = { ...second, id: 'second reader', image: first.image };
  const wide = { ...pause, width: 80, height: 40 };
  await writeHeatmaps([first, again, wide], folder, { size: 'film', windows: 2, sigma: { focal: 20 } });
  t.notOk(existsSync(join(folder, 'arrays')), 'arrays only on request');
  t.same(readdirSync(join(folder, 'timewindowed_1')).length, 6);
  t.ok(existsSync(join(folder, 'timewindowed_1', `focal_${first.image}_second reader.png`)));
  t.match(await sharp(join(folder, 'timewindowed_0', 'focal_pause.png')).metadata(), {
    width: 80,
    height: 40,
  });
  const fraction = { ...pause, width: 1, height: 1 };
  const other = join(t.testdirName, 'other');
  const invalid = { code: 'ERR_INVALID_ARGUMENT' };
  await t.rejects(writeHeatmaps([fraction], other, { size: 'film' }), { ...invalid, message: /no size/ });
  await t.rejects(writeHeatmaps([pause, { ...pause }], other), { ...invalid, message: /different ids/ });
  await t.rejects(writeHeatmaps([{ ...pause, image: '../x' }], other), { code: 'ERR_PATH_ESCAPE' });
  await t.rejects(writeHeatmaps([pause], other, { sigma: { local: 3 } as object }), invalid);
  t.notOk(existsSync(other));
});

t.test('a film larger than any map is told by its reading, before anything is drawn', async (t) => {
  const folder = join(t.testdir(), 'maps');
  const huge = { ...first, id: 'huge', width: 1e6 };
  await t.rejects(writeHeatmaps([first, huge], folder, { size: 'film' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /a number where films are as large as that of huge \(1000000 x 64\) for options\.size/,
  });
  t.notOk(existsSync(folder));
});

t.test('only heat maps are replaced, and only whole ones', async (t) => {
  const folder = join(t.testdir({ mine: { 'thesis.txt': 'x' } }), 'maps');
  await writeHeatmaps([first], folder, { size: 8 });
  const before = statSync(join(folder, 'heatmaps.json')).ino;
  const exists = { code: 'ERR_EXISTS' };
  await t.rejects(writeHeatmaps([second], folder, { size: 8 }), { ...exists, message: /allow overwriting/ });
  const mine = join(t.testdirName, 'mine');
  await t.rejects(writeHeatmaps([second], mine, { overwrite: true }), {
    ...exists,
    message: /not a folder of heat maps/,
  });
  const stop = new AbortController();
  const given = writeHeatmaps(
    [first, second, pause, { ...pause, id: 'p', image: 'p' }, ...readings.slice(2)],
    folder,
    {
      ...{ size: 8, overwrite: true, signal: stop.signal },
      onProgress: () => stop.abort(),
    },
  );
  await t.rejects(given, { code: 'ERR_ABORTED' });
  t.equal(statSync(join(folder, 'heatmaps.json')).ino, before, 'the old ones stay');
  t.same(readdirSync(t.testdirName).sort(), ['maps', 'mine']);
  await writeHeatmaps([second], folder, { size: 8, overwrite: true });
  t.same(readdirSync(join(folder, 'timewindowed_0')).sort(), [
    `focal_${second.id}.png`,
    `global_${second.id}.png`,
  ]);
});

t.test('pictures over the films, large enough to be looked at', async (t) => {
  const found = await FilmFiles.open(await filmFolder(t));
  t.same([...found.names].sort(), films.map(({ id }) => id).sort());
  t.same(await found.size(first.id), { width: 64, height: 64 });
  t.equal(await found.size('nowhere'), undefined);
  t.equal(await found.pixels('nowhere'), undefined);
  const folder = join(t.testdirName, 'maps');
  const written = await writeHeatmaps([first, pause], folder, {
    size: 16,
    film: (image) => found.pixels(image),
  });
  t.same(written.withoutFilm, ['pause']);
  const pictures = readdirSync(join(folder, 'overlays')).sort();
  t.same(pictures, [`gaze_${first.id}.png`, ...[0, 1, 2, 3].map((k) => `timewindowed_${k}`)]);
  t.match(await sharp(join(folder, 'overlays', 'timewindowed_0', `focal_${first.id}.png`)).metadata(), {
    ...{ width: 512, height: 512, channels: 3 },
  });
  await mkdir(join(found.folder, 'again'));
  writeFileSync(
    join(found.folder, 'again', `${first.id}.png`),
    readFileSync(join(found.folder, `${first.id}.png`)),
  );
  await t.rejects(FilmFiles.open(found.folder), { code: 'ERR_DATASET', message: /two films are called/ });
  const split = (folder: string) => ({
    ...{ name: folder, classes: ['x'], length: 1 },
    sample: () => ({ id: 'a.png', label: 0, image: { kind: 'file' as const, path: `/${folder}/a.png` } }),
  });
  t.same(FilmFiles.of('table', [split('one'), split('one')]).names, ['a'], 'one film in two splits');
  t.throws(() => FilmFiles.of('table', [split('one'), split('two')]), {
    code: 'ERR_DATASET',
    message: "table: two films are called 'a': /one/a.png and /two/a.png",
  });
});

t.test('a scanpath: circles where somebody looked, lines between, numbers', async (t) => {
  const size = 200;
  const black = { width: size, height: size, channels: 1, data: new Uint8Array(size * size) } as const;
  const reading: Reading = {
    ...{ id: 'r', image: 'r', width: 2, height: 2 },
    fixations: [
      { x: 0.5, y: 0.5, start: 0, end: 1 },
      { x: 1.5, y: 0.5, start: 1, end: 1.25 },
      { x: 9, y: 9, start: 2, end: 3 },
    ],
  };
  const plain = await drawScanpath(black, reading, { numbers: false, lines: false });
  t.match(plain, { width: size, height: size, channels: 3 });
  t.equal(plain.data.length, 3 * size * size);
  const lit = ({ data }: { readonly data: Uint8Array }, x: number, y: number) =>
    [0, 1, 2].some((c) => (data[3 * (y * size + x) + c] as number) > 20);
  t.ok(lit(plain, 50, 50) && lit(plain, 150, 50));
  t.notOk(lit(plain, 100, 50) || lit(plain, 50, 150), 'nothing elsewhere');
  // Radii 0.02 of 200 for a quarter of a second, twice that for a second.
  t.ok(lit(plain, 57, 50), 'the long one is larger');
  t.notOk(lit(plain, 157, 50));
  const joined = await drawScanpath(black, reading, { numbers: false });
  t.ok(lit(joined, 100, 50), 'the line');
  const numbered = await drawScanpath(black, reading, { lines: false });
  t.notSame(numbered.data, plain.data, 'numbers');
  // Of a tracker's samples, however many, neighbours are drawn as one: a second a circle would take hours.
  const samples = Array.from({ length: 100_000 }, (_, i) => ({
    ...{ x: i < 50_000 ? 0.5 : 1.5, y: 0.5, start: i / 1000, end: (i + 1) / 1000 },
  }));
  const many = await drawScanpath(black, { ...reading, fixations: samples }, { lines: false });
  t.ok(lit(many, 50, 50) && lit(many, 150, 50));
  t.notOk(lit(many, 100, 50) || lit(many, 50, 150));
  const empty = await drawScanpath(black, { ...reading, fixations: [] });
  t.ok(empty.data.every((value) => value === 0));
  await t.rejects(drawScanpath({ ...black, height: 3 }, reading), { code: 'ERR_INVALID_ARGUMENT' });
  await t.rejects(drawScanpath(black, reading, { radius: 0 }), { code: 'ERR_INVALID_ARGUMENT' });
});
