import { copyFile, cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readCsv } from '../../lib/data/csv.js';
import { readEgd } from '../../lib/gaze/egd.js';
import type { Fixation, GazeTable } from '../../lib/gaze/reading.js';
import { readReflacx } from '../../lib/gaze/reflacx.js';
import { readSiim } from '../../lib/gaze/siim.js';

type Point = readonly [down: number, across: number, count: number];

const path = [
  [0.25, 0.75, 6],
  [1.125, 0.5, 12],
  [0.5, 0, 3],
] as const;
const expected: readonly Fixation[] = [
  { x: 0.75, y: 0.25, start: 0, end: 0.1 },
  { x: 0.5, y: 1.125, start: 0.1, end: 0.3 },
  { x: 0, y: 0.5, start: 0.3, end: 0.35 },
];
const lenient = { maxFaultShare: 0.5 };

const record = (id: string, points: readonly Point[]) => ({
  image_id: id,
  gaze_x: points.map(([x]) => x),
  gaze_y: points.map(([, y]) => y),
  time: points.map(([, , time]) => time),
});

/** A pickle of protocol 2, opcode by opcode: { key: [(x, y, t), ...] }. */
function pickle(entries: readonly (readonly [key: string, points: readonly Point[]])[], end = '.'): Buffer {
  const float = (value: number): Buffer => {
    const bytes = Buffer.from('G00000000', 'latin1');
    bytes.writeDoubleBE(value, 1);
    return bytes;
  };
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(`X0000${value}`);
    bytes.writeUInt32LE(Buffer.byteLength(value), 1);
    return bytes;
  };
  const list = (points: readonly Point[]): Buffer =>
    Buffer.concat([
      Buffer.from(']('),
      ...points.flatMap(([x, y, count]) => [float(x), float(y), Buffer.from([0x4b, count, 0x87])]),
      Buffer.from('e'),
    ]);
  return Buffer.concat([
    Buffer.from('\x80\x02}(', 'latin1'),
    ...entries.flatMap(([key, points]) => [text(key), list(points)]),
    Buffer.from(`u${end}`),
  ]);
}

async function read(t: Test, content: unknown, options = {}): Promise<GazeTable> {
  const bytes = Buffer.isBuffer(content) ? content : JSON.stringify(content);
  return readSiim(join(t.testdir({ scanpaths: bytes }), 'scanpaths'), options);
}

const close = (a: readonly Fixation[] | undefined, b: readonly Fixation[]): boolean =>
  a?.length === b.length &&
  a.every((fixation, i) =>
    (['x', 'y', 'start', 'end'] as const).every(
      (key) => Math.abs(fixation[key] - (b[i] as Fixation)[key]) < 1e-12,
    ),
  );

t.test('records and pickle give the same scanpaths, axes put right', async (t) => {
  const fromJson = await read(t, [record('1.2.3', path)], { ...lenient, offFilm: 'keep' });
  const fromPickle = await read(t, pickle([['study/series/1.2.3.dcm', path]]), {
    ...lenient,
    offFilm: 'keep',
  });
  const marked = Buffer.from(`\uFEFF${JSON.stringify([record('1.2.3', path)])}`);
  const fromMarked = await read(t, marked, { ...lenient, offFilm: 'keep' });
  for (const { rows, readings, filtered } of [fromJson, fromMarked, fromPickle]) {
    t.equal(rows, 3);
    t.match(readings[0], { id: '1.2.3', image: '1.2.3', width: 1, height: 1 });
    t.ok(close(readings[0]?.fixations, expected));
    t.match(filtered, { offFilm: 1, notFinite: 0 });
  }
  const filtered = await read(t, [record('1.2.3', path)], lenient);
  t.ok(close(filtered.readings[0]?.fixations, [expected[0] as Fixation, expected[2] as Fixation]));
});

t.test('faulty points', async (t) => {
  const odd = [[0.5, 0.5, 6], [Number.NaN, 0.5, 6], [0.5, 0.5, -1], [0.5, 0.5, null], ...path] as Point[];
  const { filtered, readings } = await read(t, [record('a', odd)], { maxFaultShare: 0.9 });
  t.match(filtered, { notFinite: 2, endBeforeStart: 1, offFilm: 1 });
  t.match(readings[0]?.fixations, [
    { start: 0, end: 0.1 },
    { start: 0.2, end: 0.3 },
    { start: 0.5, end: 0.55 },
  ]);
  await t.rejects(read(t, [record('a', odd)]), { code: 'ERR_TABLE', message: /record 1, point 2/ });
});

t.test('what is no scanpath is refused with its place', async (t) => {
  const good = record('a', path);
  const cases: readonly (readonly [unknown, { code: string; message?: RegExp }])[] = [
    [Buffer.from('{"a": '), { code: 'ERR_TABLE', message: /neither JSON nor a pickle/ }],
    [{ a: 1 }, { code: 'ERR_TABLE', message: /a list of records/ }],
    [[good, 3], { code: 'ERR_TABLE', message: /record 2: it is no record/ }],
    [[{ ...good, image_id: 3 }], { code: 'ERR_TABLE', message: /no text 'image_id'/ }],
    [[{ ...good, time: undefined }], { code: 'ERR_TABLE', message: /no list 'time'/ }],
    [[{ ...good, gaze_y: [1] }], { code: 'ERR_TABLE', message: /'gaze_y' has 1 values, 'gaze_x' 3/ }],
    [[good, good], { code: 'ERR_TABLE', message: /record 2: the film was given before/ }],
    [[record('../a', path)], { code: 'ERR_PATH_ESCAPE' }],
    [[record('a/b', path)], { code: 'ERR_PATH_ESCAPE' }],
    [[], { code: 'ERR_TABLE', message: /no recording/ }],
    [pickle([['a/../../b.dcm', path]]), { code: 'ERR_PATH_ESCAPE', message: /entry 1.*'\.\.'/ }],
    [pickle([['/etc/passwd', path]]), { code: 'ERR_PATH_ESCAPE' }],
    [pickle([['a\\b', path]]), { code: 'ERR_PATH_ESCAPE' }],
    [
      pickle([['a/b', path]]).subarray(0, -3),
      { code: 'ERR_CHECKPOINT', message: /in the middle of the pickle/ },
    ],
    [pickle([['a/b', path]], '.more'), { code: 'ERR_CHECKPOINT', message: /4 bytes follow the pickle/ }],
    [
      Buffer.from('\x80\x02](K\x01K\x02e.', 'latin1'),
      { code: 'ERR_TABLE', message: /a dict but found a list/ },
    ],
    [
      Buffer.from('\x80\x02}K\x01]s.', 'latin1'),
      { code: 'ERR_TABLE', message: /a text as key but found an int/ },
    ],
    [Buffer.from('\x80\x02}U\x01aK\x07s.', 'latin1'), { code: 'ERR_TABLE', message: /a list of points/ }],
    [
      Buffer.from('\x80\x02}U\x01a](K\x07es.', 'latin1'),
      { code: 'ERR_TABLE', message: /point 1 is not \(x, y, t\)/ },
    ],
    [
      Buffer.from('\x80\x02cos\nsystem\n(U\x04truetR.', 'latin1'),
      { code: 'ERR_CHECKPOINT', message: /os\.system.*nothing in the file is executed/ },
    ],
    [
      Buffer.from('\x80\x02cbuiltins\nset\n.', 'latin1'),
      { code: 'ERR_CHECKPOINT', message: /builtins\.set/ },
    ],
  ];
  for (const [content, error] of cases) await t.rejects(read(t, content), error);
  await t.rejects(readSiim(join(t.testdirName, 'nowhere')), { code: 'ERR_FILE' });
});

const data = process.env.CXR_GAZE_DATA ?? '';
const real = { skip: data === '' && 'CXR_GAZE_DATA does not name the folder of real data' };
const file = (...parts: string[]): string => join(data, 'gaze', ...parts);

t.test('all real scanpaths match their table', real, async (t) => {
  const labels = await readCsv(file('labels.csv'));
  const [id, points, samples, outside] = ['image_id', 'points', 'samples', 'outside'].map((name) =>
    labels.column(name),
  ) as [number, number, number, number];
  const counts = new Map(
    Array.from({ length: labels.length }, (_, row) => [
      labels.cell(row, id),
      [points, samples, outside].map((column) => Number(labels.cell(row, column))),
    ]),
  );
  t.equal(counts.size, 825);
  const tables = await Promise.all(
    ['cxr_p_gaze_data.pkl', 'cxr_p_gaze_data.json', 'cxr_gaze_data.json'].map((name) =>
      readSiim(file(name), { offFilm: 'keep' }),
    ),
  );
  t.strictSame(
    tables.map(({ readings }) => readings.length),
    [825, 825, 125],
  );
  for (const { readings, filtered } of tables) {
    const wrong = readings.filter(({ image, fixations }) => {
      const found = [
        fixations.length,
        fixations.reduce((sum, { start, end }) => sum + Math.round(60 * (end - start)), 0),
        fixations.filter(({ x, y }) => x < 0 || y < 0 || x > 1 || y > 1).length,
      ];
      return found.join() !== counts.get(image)?.join();
    });
    t.strictSame(
      wrong.map(({ image }) => image),
      [],
    );
    t.match(filtered, { notFinite: 0, endBeforeStart: 0, unsorted: 0 });
  }
  const [fromPickle, fromJson] = tables.map(
    ({ readings }) => new Map(readings.map((reading) => [reading.id, JSON.stringify(reading)])),
  );
  t.ok(
    [...(fromPickle ?? [])].every(([id, text]) => fromJson?.get(id) === text),
    'to the last bit',
  );
});

t.test('the same scanpaths in the columns of EGD and REFLACX', real, async (t) => {
  const originals = new Map(
    (await readSiim(file('cxr_p_gaze_data.json'), { offFilm: 'keep' })).readings.map((reading) => [
      reading.image,
      reading,
    ]),
  );
  const same = (table: GazeTable, scale: number, slack: { place: number; time: number }): void => {
    t.equal(table.readings.length, 24);
    for (const { image, fixations } of table.readings) {
      const theirs = originals.get(image)?.fixations ?? [];
      const onFilm = ({ x, y }: Fixation): boolean => x >= 0 && y >= 0 && x <= 1 && y <= 1;
      t.equal(fixations.length, theirs.length, image);
      const off = fixations.filter((fixation, i) => {
        const other = theirs[i] as Fixation;
        const near =
          !onFilm(other) ||
          (Math.abs(fixation.x - scale * other.x) <= slack.place &&
            Math.abs(fixation.y - scale * other.y) <= slack.place);
        const timely =
          Math.abs(fixation.start - other.start) <= slack.time &&
          Math.abs(fixation.end - other.end) <= slack.time;
        return !(near && timely);
      });
      t.equal(off.length, 0, image);
    }
  };
  const folder = t.testdir();
  await copyFile(file('relayout', 'egd_fixations.csv'), join(folder, 'fixations.csv'));
  const films = { width: 1024, height: 1024 };
  const egd = { table: 'fixations', offFilm: 'keep' } as const;
  // Whole pixels, cut; times with five decimals.
  same(await readEgd(folder, { ...egd, films }), 1024, { place: 1, time: 2e-5 });

  const names = (await readdir(file('relayout', 'reflacx'))).sort();
  const master = names.map((name) => `${name},0,0,420,420`);
  const pads = 'dicom_id,image_top_pad,image_bottom_pad,image_left_pad,image_right_pad';
  await writeFile(join(folder, 'master_sheet.csv'), [pads, ...master].join('\n'));
  // Fractions of the screen with five decimals: a fiftieth of a pixel.
  same(await readEgd(folder, egd), 1080, { place: 0.011, time: 2e-5 });

  const main = join(folder, 'main_data');
  await mkdir(main);
  for (const name of names)
    await cp(file('relayout', 'reflacx', name), join(main, name), { recursive: true });
  const columns = 'id,eye_tracking_data_discarded,image,image_size_x,image_size_y';
  const rows = names.map((name) => `${name},False,files/${name}.dcm,1024,1024`);
  await writeFile(join(main, 'metadata_phase_1.csv'), [columns, ...rows].join('\n'));
  // Times with three decimals.
  same(await readReflacx(folder, { offFilm: 'keep' }), 1024, { place: 1, time: 6e-4 });
});
