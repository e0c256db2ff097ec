import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import sharp from 'sharp';
import t from 'tap';
import { checkImages } from '../../lib/data/check-images.js';
import { readCsv } from '../../lib/data/csv.js';
import type { Pixels } from '../../lib/data/dataset.js';
import { decodeImage } from '../../lib/data/decode.js';
import { sharedPatients } from '../../lib/data/image-table.js';
import { type LongTailedSplit, openLongTailed } from '../../lib/data/long-tailed.js';
import { openTable, parseWhere, type TableOptions } from '../../lib/data/table-dataset.js';

const data = process.env.CXR_GAZE_DATA ?? '';
const real = { skip: data === '' && 'CXR_GAZE_DATA does not name the folder of real data' };
const file = (...path: string[]): string => join(data, ...path);
const decode = (...path: string[]): Promise<Pixels> => decodeImage({ kind: 'file', path: file(...path) });

/** The image as 64 x 64 greys, for comparisons across sizes; colour by its luma. */
async function small({ width, height, channels, data: values }: Pixels): Promise<number[]> {
  const luma = (i: number): number =>
    0.299 * (values[3 * i] as number) +
    0.587 * (values[3 * i + 1] as number) +
    0.114 * (values[3 * i + 2] as number);
  const grey =
    channels === 1 ? values : Uint8Array.from({ length: width * height }, (_, i) => Math.round(luma(i)));
  const image = sharp(grey, { raw: { width, height, channels: 1 } }).resize(64, 64, {
    fit: 'fill',
    kernel: 'linear',
  });
  return [...(await image.toColourspace('b-w').raw().toBuffer())];
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (v: readonly number[]): number => v.reduce((sum, x) => sum + x, 0) / v.length;
  const [ma, mb] = [mean(a), mean(b)];
  const product = a.map((x, i) => (x - ma) * ((b[i] as number) - mb)).reduce((sum, x) => sum + x, 0);
  const square = (v: readonly number[], m: number): number => v.reduce((sum, x) => sum + (x - m) ** 2, 0);
  return product / Math.sqrt(square(a, ma) * square(b, mb));
}

t.test('the table of the long-tailed set', real, async (t) => {
  const open = (more: Partial<TableOptions>): ReturnType<typeof openTable> =>
    openTable({
      csv: file('cxr', 'labels.csv'),
      root: data,
      labelColumn: 'finding',
      splitColumn: 'split',
      patientColumn: 'patient',
      idColumn: 'id',
      ...more,
    });
  const all = await open({ emptyLabel: 'skip' });
  t.strictSame([all.rows, all.skipped.emptyLabel, all.classes.length, all.warnings], [1621, 390, 30, []]);
  t.strictSame(all.splits.get('train')?.classCounts.slice(0, 5), [377, 157, 98, 67, 15]);
  for (const split of all.splits.values()) await t.resolves(checkImages(split));
  await t.rejects(open({}), { code: 'ERR_TABLE', message: /line 592, column 'finding'/ });
  const nih = await open({ emptyLabel: 'skip', where: [parseWhere('source=nih')] });
  t.strictSame([nih.skipped.where, nih.splits.get('train')?.length], [587, 449]);
  const tuberculosis = await open({ where: [parseWhere('source=montgomery,shenzhen')] });
  t.strictSame(tuberculosis.classes, ['No Finding', 'Tuberculosis']);
  t.strictSame(tuberculosis.splits.get('train')?.classCounts, [106, 98]);
});

t.test('published label tables: counts, groups, patients', real, async (t) => {
  const dir = t.testdir({});
  const copy = async (set: string, name: string): Promise<void> => {
    const found = (await readdir(file('labels', set))).find((entry) => entry.startsWith(name)) ?? name;
    const bytes = await readFile(file('labels', set, found));
    await writeFile(join(dir, name), found.endsWith('.gz') ? gunzipSync(bytes) : bytes);
  };
  for (const split of ['balanced-val', 'balanced-test', 'test'])
    await copy('nih', `nih-cxr-lt_single-label_${split}.csv`);
  for (const split of ['balanced-val', 'balanced-test'])
    await copy('mimic', `mimic-cxr-lt_single-label_${split}.csv`);
  const open = (
    dataset: 'nih-cxr-lt' | 'mimic-cxr-lt',
    split: LongTailedSplit,
  ): ReturnType<typeof openLongTailed> =>
    openLongTailed({ dataset, labelDir: dir, dataDir: join(dir, 'images'), split });
  const test = await open('nih-cxr-lt', 'test');
  t.strictSame(
    test.classCounts,
    [13055, 2251, 868, 929, 566, 403, 519, 366, 257, 234, 170, 164, 107, 86, 85, 64, 44, 40, 38, 33],
    'the counts of the paper',
  );
  t.equal(new Set(test.patients).size, 5969);
  const sets = {
    val: await open('nih-cxr-lt', 'balanced-val'),
    test: await open('nih-cxr-lt', 'balanced-test'),
  };
  t.ok(sets.val.classCounts.every((n) => n === 15) && sets.test.classCounts.every((n) => n === 30));
  t.strictSame(
    sharedPatients(
      new Map([
        ['val', sets.val],
        ['test', test],
      ]),
    ),
    [],
  );
  t.match(
    sharedPatients(
      new Map([
        ['balanced-test', sets.test],
        ['test', test],
      ]),
    )[0]?.message,
    /^124 patients/,
  );
  t.ok((await open('mimic-cxr-lt', 'balanced-val')).classCounts.every((n) => n === 15));
  t.ok((await open('mimic-cxr-lt', 'balanced-test')).classCounts.every((n) => n === 30));
});

t.test('encodings as found in the wild', real, async (t) => {
  const table = await readCsv(file('cxr', 'formats.csv'));
  const [path, width, height, twin] = ['file', 'width', 'height', 'same_as'].map((name) =>
    table.column(name),
  ) as [number, number, number, number];
  const labels = await readCsv(file('cxr', 'labels.csv'));
  const twins = new Map(
    Array.from({ length: labels.length }, (_, row) => [
      labels.cell(row, labels.column('id')),
      labels.cell(row, labels.column('path')),
    ]),
  );
  for (let row = 0; row < table.length; row++) {
    const name = table.cell(row, path);
    const image = await decode(name);
    t.strictSame(
      [image.width, image.height],
      [Number(table.cell(row, width)), Number(table.cell(row, height))],
      name,
    );
    const other = twins.get(table.cell(row, twin));
    if (other === undefined) continue;
    const [a, b] = [await small(image), await small(await decode(other))];
    const distance = a.reduce((sum, v, i) => sum + Math.abs(v - (b[i] as number)), 0) / a.length;
    t.ok(
      distance < 2 && correlation(a, b) > 0.998,
      `${name} looks like its twin (mean distance ${distance.toFixed(2)})`,
    );
  }
});

t.test('DICOM: MONOCHROME1, 16 bits, windows, a CT series', real, async (t) => {
  const [plain, faked] = [
    await decode('cxr/formats/siim_jpeg_mono2.dcm'),
    await decode('cxr/formats/siim_jpeg_mono1_faked.dcm'),
  ];
  t.ok(
    plain.data.every((value, i) => value === 255 - (faked.data[i] as number)),
    'the tag alone inverts',
  );
  const [dicom, png] = [
    await small(await decode('cxr/formats/nema_rg1_j2k_mono1.dcm')),
    await small(await decode('cxr/formats/rg1_16bit.png')),
  ];
  t.ok(correlation(dicom, png) > 0.998, 'a genuine MONOCHROME1 file and the PNG made from it');
  const slices = (await readdir(file('volumes', 'ct_dicom_series'))).sort();
  t.equal(slices.length, 20);
  for (const slice of slices) {
    const { width, height, channels, data: greys } = await decode('volumes', 'ct_dicom_series', slice);
    t.strictSame([width, height, channels], [512, 512, 1]);
    const [black, white] = [0, 255].map((end) => greys.filter((v) => v === end).length / greys.length) as [
      number,
      number,
    ];
    t.ok(
      black > 0.2 && black < 0.9 && white > 0 && white < 0.3,
      `${slice}: air is black, bone white in the first window`,
    );
  }
});
