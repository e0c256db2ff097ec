import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { drawLungs } from '../../lib/cam/draw-lungs.js';
import { boundingBox, scaleBox } from '../../lib/data/box.js';
import type { Dataset } from '../../lib/data/dataset.js';
import { openImageFolder } from '../../lib/data/image-folder.js';
import { lungBox } from '../../lib/data/lung-box.js';
import { lungBoxesOfMasks } from '../../lib/data/lung-boxes.js';
import { MaskFolder } from '../../lib/data/mask-folder.js';
import { openPairTable, pairFolders, phantomPairs, splitPairs } from '../../lib/data/mask-pairs.js';
import { phantomSplits } from '../../lib/data/phantom/splits.js';
import { readMask } from '../../lib/data/read-mask.js';
import { failure } from '../support/outcome.js';

/** A mask of rectangles [x0, y0, x1, y1). */
function mask(size: number, ...rects: readonly (readonly [number, number, number, number])[]) {
  const data = new Uint8Array(size * size);
  for (const [x0, y0, x1, y1] of rects)
    for (let y = y0; y < y1; y++) data.fill(255, y * size + x0, y * size + x1);
  return { width: size, height: size, data };
}

const two = [
  [40, 50, 100, 170],
  [130, 50, 190, 170],
] as const;

t.test('boxes', async (t) => {
  t.same(boundingBox(mask(8, [2, 1, 5, 7]).data, 8), { x: 2, y: 1, width: 3, height: 6 });
  t.equal(boundingBox(new Uint8Array(12), 4), null);
  t.throws(() => boundingBox(new Uint8Array(12), 0), { code: 'ERR_INVALID_ARGUMENT' });
  const half = scaleBox(
    { x: 2, y: 4, width: 6, height: 8 },
    { width: 20, height: 10 },
    { width: 10, height: 20 },
  );
  t.same(half, { x: 1, y: 8, width: 3, height: 16 });
});

t.test('what is found in a mask', async (t) => {
  const found = async (...rects: Parameters<typeof mask>[1][]) => {
    const { box, finding, reasons } = await lungBox(mask(224, ...rects));
    return { finding, box: [box.x, box.y, box.width, box.height], reasons };
  };
  t.same(await found(...two), { finding: 'whole', box: [40, 50, 150, 120], reasons: [] });
  t.same(await found(), { finding: 'none', box: [0, 0, 224, 224], reasons: [] });
  t.match(await found(two[0]), { finding: 'one' });
  t.match(await found([112, 100, 113, 101]), {
    finding: 'implausible',
    reasons: [/0\.0 %/, /nothing but specks/],
  });
  t.match(await found(...two, [215, 215, 220, 220]), {
    finding: 'implausible',
    reasons: [/specks move an edge .* by 50/],
  });
  t.match(await found([0, 0, 224, 224]), { finding: 'implausible', reasons: [/100\.0 %/] });
  t.match(await found([30, 80, 200, 130]), { reasons: [/170 wide and 50 high/] });
  t.match((await lungBox(mask(448, [80, 100, 380, 340]))).box, { x: 40, y: 50, width: 150, height: 120 });
  const short = { width: 2, height: 2, channels: 1 as const, data: new Uint8Array(3) };
  t.throws(() => drawLungs(short, mask(3), half, 4), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /image\.data/,
  });
  t.throws(() => drawLungs({ width: 2, height: 2, channels: 1, data: new Uint8Array(4) }, mask(3), half, 0), {
    code: 'ERR_INVALID_ARGUMENT',
  });
});

const half = { x: 1, y: 1, width: 2, height: 2 };

t.test('lungs are drawn green, their box white', (t) => {
  const image = { width: 4, height: 4, channels: 1 as const, data: new Uint8Array(16).fill(100) };
  const { data, channels } = drawLungs(image, mask(2, [0, 0, 1, 2]), half, 4);
  t.equal(channels, 3);
  const at = (x: number, y: number) => [...data.subarray(3 * (4 * y + x), 3 * (4 * y + x) + 3)];
  t.same(at(3, 3), [100, 100, 100]);
  t.same(at(0, 0), [65, 135, 107]);
  t.same(at(1, 1), [255, 255, 255]);
  t.end();
});

async function png(file: string, { width, height, data }: ReturnType<typeof mask>): Promise<void> {
  await sharp(data, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toFile(file);
}

function filesOf(folder: string, names: readonly string[]): Dataset {
  const file = (name: string) => ({ kind: 'file', path: path.join(folder, 'images', name) }) as const;
  return {
    ...{ name: 'films', classes: ['a'], length: names.length },
    sample: (index) => ({ id: names[index] as string, label: 0, image: file(names[index] as string) }),
  };
}

t.test('a folder of masks: what is missing, misnamed, empty or of another size is told', async (t) => {
  const folder = t.testdir({ images: {}, masks: { sub: {} }, none: {}, twice: {} });
  const at = (...parts: string[]) => path.join(folder, ...parts);
  await png(at('masks', 'a.png'), mask(224, ...two));
  await png(at('masks', 'sub', 'b_mask.png'), mask(448, [80, 100, 380, 340]));
  await png(at('masks', 'c.png'), mask(224));
  await png(at('masks', 'ones.png'), {
    ...mask(224),
    data: mask(224, ...two).data.map((value) => value / 255),
  });
  await png(at('masks', 'd-typo.png'), mask(224, ...two));
  const dataset = filesOf(folder, ['a.png', 'b.jpg', 'c.png', 'ones.png']);
  const cacheDir = at('cache');
  const found = await lungBoxesOfMasks(dataset, at('masks'), { cacheDir });
  t.same(
    found.lungs.map(({ finding, maskSize }) => [finding, maskSize[0]]),
    [
      ['whole', 224],
      ['whole', 448],
      ['none', 224],
      ['whole', 224],
    ],
  );
  t.same(found.boxes[3], found.boxes[0], 'a mask of zeros and ones');
  t.same(
    found.warnings.map(({ kind }) => kind),
    ['no-lung', 'mask-sizes', 'masks-without-image'],
  );
  t.match(found.warnings[0]?.message, /1 of 4 images have no lung.*'c.png'/);
  t.match(found.warnings[1]?.message, /1 masks are not of 224 x 224 pixels as the other 3 \(448 x 448\)/);
  const again = await lungBoxesOfMasks(dataset, at('masks'), { cacheDir });
  t.same([again.reused, again.boxes, again.warnings], [4, found.boxes, found.warnings]);
  await png(at('masks', 'c.png'), mask(224, ...two));
  const changed = await lungBoxesOfMasks(dataset, at('masks'), { cacheDir });
  t.same([changed.reused, changed.lungs[2]?.finding], [3, 'whole'], 'a mask that changed is looked at again');
  const [file] = readdirSync(cacheDir);
  writeFileSync(path.join(cacheDir, file as string), 'torn');
  t.equal(
    (await lungBoxesOfMasks(dataset, at('masks'), { cacheDir })).reused,
    0,
    'a torn cache is not trusted',
  );

  const missing = failure(lungBoxesOfMasks(filesOf(folder, ['a.png', 'd-type.png']), at('masks')));
  t.match(await missing, {
    code: 'ERR_DATASET',
    message: /1 of 2 masks of films are missing: .*d-type.png \(left over: d-typo.png\)/,
  });
  t.match(await failure(lungBoxesOfMasks(dataset, at('none'))), {
    code: 'ERR_DATASET',
    message: /found no image/,
  });
  t.match(await failure(lungBoxesOfMasks(dataset, at('nowhere'))), { code: 'ERR_FILE' });
  await png(at('twice', 'a.png'), mask(16));
  await png(at('twice', 'a_mask.png'), mask(16));
  t.match(await failure(lungBoxesOfMasks(dataset, at('twice'))), {
    message: /two masks for a: a.png and a_mask.png/,
  });
  writeFileSync(at('masks', 'a.png'), 'no image');
  t.match(await failure(lungBoxesOfMasks(dataset, at('masks'))), {
    code: 'ERR_IMAGE',
    message: /sample a.png of films/,
  });
  await sharp({ create: { width: 4, height: 4, channels: 3, background: { r: 255, g: 0, b: 0 } } })
    .png()
    .toFile(at('masks', 'a.png'));
  t.match(await failure(lungBoxesOfMasks(dataset, at('masks'))), {
    code: 'ERR_IMAGE',
    message: /grey mask but it has colours/,
  });
  const stop = { signal: AbortSignal.abort() };
  t.match(await failure(lungBoxesOfMasks(dataset, at('masks'), stop)), { code: 'ERR_ABORTED' });
  t.equal((await MaskFolder.open(at('masks'))).length, 5);
});

t.test('two images of one name do not share a mask', async (t) => {
  const folder = t.testdir({ films: { normal: {}, effusion: {} }, masks: {} });
  const at = (...parts: string[]) => path.join(folder, ...parts);
  for (const name of ['normal', 'effusion']) await png(at('films', name, '1.png'), mask(16));
  await png(at('masks', '1.png'), mask(16));
  const shared = {
    code: 'ERR_DATASET',
    message: /effusion.1\.png and .*normal.1\.png would share the mask 1\.png/,
  };
  t.match(await failure(pairFolders(at('films'), at('masks'))), shared);
  const classes = ['effusion', 'normal'];
  const { splits } = await openImageFolder({ root: at('films'), layout: 'class', classes });
  t.match(await failure(lungBoxesOfMasks(splits.get('all') as Dataset, at('masks'))), shared);
});

t.test('pairs of folders, of a table, of phantoms', async (t) => {
  const folder = t.testdir({ images: { train: {} }, masks: {}, others: {} });
  const at = (...parts: string[]) => path.join(folder, ...parts);
  for (const name of ['a', 'b', 'alone']) await png(at('images', 'train', `${name}.png`), mask(16));
  await png(at('masks', 'a_mask.png'), mask(16, [2, 2, 9, 9]));
  await png(at('masks', 'b.png'), mask(16));
  await png(at('masks', 'left.png'), mask(16));
  const { pairs, warnings } = await pairFolders(at('images'), at('masks'));
  t.equal(pairs.images.length, 2);
  t.equal((await readMask(pairs.masks[0] as (typeof pairs.masks)[number])).data[34], 255);
  t.same(
    warnings.map(({ kind }) => kind),
    ['images-without-mask', 'masks-without-image'],
  );
  const mixed = await pairFolders(folder, at('masks'));
  t.equal(mixed.pairs.images.length, 2, 'masks among the images are no images');
  await png(at('others', 'x.png'), mask(16));
  t.match(await failure(pairFolders(at('others'), at('masks'))), {
    code: 'ERR_DATASET',
    message: /None of the 1 images/,
  });

  const csv = at('pairs.csv');
  const row = (name: string, image: string, split: string) =>
    `images/train/${image}.png,masks/${name}.png,${split},p${image},s${split}`;
  writeFileSync(
    csv,
    `image,mask,split,patient,source\n${[row('a_mask', 'a', 'train'), row('b', 'a', 'train'), row('left', 'b', 'val')].join('\n')}\n`,
  );
  const table = await openPairTable({
    ...{ csv, root: folder, splitColumn: 'split', patientColumn: 'patient', groupColumn: 'source' },
  });
  t.same([...table.pairs.keys()], ['train', 'val']);
  t.same(table.pairs.get('train')?.groups, ['strain', 'strain'], 'an image may have two masks');
  t.equal(table.pairs.get('val')?.images.sample(0).patient, 'pb');
  t.same(table.warnings, []);
  writeFileSync(csv, `image,mask\nimages/train/a.png,../x.png\n`);
  t.match(await failure(openPairTable({ csv, root: folder })), {
    code: 'ERR_PATH_ESCAPE',
    message: /pairs\.csv, line 2, column 'mask': The path "\.\.\/x\.png" climbs/,
  });
  symlinkSync(at('others', 'x.png'), at('images', 'out.png'));
  writeFileSync(csv, `image,mask\ntrain/a.png,train/b.png\ntrain/b.png,out.png\n`);
  t.match(await failure(openPairTable({ csv, root: at('images') })), {
    code: 'ERR_PATH_ESCAPE',
    message: /pairs\.csv, line 3, column 'mask': a symbolic link leads out\.png out of/,
  });

  const films = phantomPairs(
    phantomSplits({ size: 64, train: 20, valPerClass: 1, testPerClass: 0, test: 0 }).train,
  );
  const parts = splitPairs(films, { validation: 0.2, test: 0.2, seed: 3 });
  const patients = [parts.train, parts.validation, parts.test].map(
    ({ images }) => new Set(Array.from({ length: images.length }, (_, i) => images.sample(i).patient)),
  );
  t.equal(parts.train.masks.length + parts.validation.masks.length + parts.test.masks.length, 20);
  t.notOk([...(patients[0] ?? [])].some((patient) => patients[1]?.has(patient) || patients[2]?.has(patient)));
  const drawn = await readMask(films.masks[0] as (typeof films.masks)[number]);
  t.ok(drawn.data.includes(255) && drawn.data.includes(0));
  t.throws(() => splitPairs({ ...pairs, masks: [] }), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => splitPairs(pairs, { validation: 0 }), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => splitPairs(pairs, { validation: 0.1 }), { code: 'ERR_DATASET', message: /too few/ });
});
