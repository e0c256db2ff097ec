import t, { type Test } from 'tap';
import { withinChestBox, withinChestBoxes } from '../../lib/gaze/reading.js';
import { type ReflacxOptions, readReflacx } from '../../lib/gaze/reflacx.js';

const columns =
  'id,split,eye_tracking_data_discarded,image,dicom_id,subject_id,image_size_x,image_size_y,Support devices';
const fixations = [
  'timestamp_start_fixation,timestamp_end_fixation,x_position,y_position,window_width',
  '-0.25,0.5,10,20,',
  '0.5,1.5,1000,20,',
  '1.5,2,500,400,',
];
const row = (id: string, image = `files/p1/s1/${id}-film.dcm`, discarded = 'False', size = '1000,800') =>
  `${id},train,${discarded},${image},d,s,${size},True`;

interface Extra {
  readonly metadata?: readonly string[];
  readonly phase?: number;
  readonly fixations?: readonly string[];
  readonly box?: readonly string[];
}

function folder(t: Test, { metadata = [row('A')], phase = 3, box, ...extra }: Extra): string {
  return t.testdir({
    main_data: {
      [`metadata_phase_${phase}.csv`]: `${[columns, ...metadata].join('\n')}\n`,
      A: {
        'fixations.csv': (extra.fixations ?? fixations).join('\n'),
        ...(box ? { 'chest_bounding_box.csv': box.join('\n') } : {}),
      },
      B: { 'fixations.csv': fixations.slice(0, 2).join('\n') },
    },
  });
}

const read = (t: Test, extra: Extra = {}, options?: ReflacxOptions) => readReflacx(folder(t, extra), options);

t.test('readings in the order of the metadata, discarded ones counted', async (t) => {
  const metadata = [row('A'), row('X', 'x.dcm', 'True'), row('B', 'files/p1/s1/A-film.dcm')];
  const table = await read(t, { metadata, box: ['xmin,ymin,xmax,ymax', '10,20,999.5,420'] });
  t.strictSame(
    table.readings.map(({ id, image, width, height }) => [id, image, width, height]),
    [
      ['A', 'A-film', 1000, 800],
      ['B', 'A-film', 1000, 800],
    ],
  );
  t.match(table, { rows: 4, filtered: { discarded: 1, offFilm: 0, notFinite: 0 } });
  t.strictSame(table.readings[0]?.fixations[0], { x: 10, y: 20, start: -0.25, end: 0.5 });
  const [first, second] = table.readings;
  t.strictSame(first?.chestBox, { xmin: 10, ymin: 20, xmax: 999.5, ymax: 420 });
  t.strictSame(
    first && withinChestBox(first).fixations.map(({ x }) => x),
    [10, 500],
    'edges belong to the box',
  );
  t.equal(first && withinChestBox(first).image, 'A-film');
  t.equal(second && withinChestBox(second), second, 'no box, nothing to leave out');
  const within = withinChestBoxes(table);
  t.match(within, {
    ...{ name: table.name, rows: 4 },
    filtered: { discarded: 1, outsideChestBox: 1, withoutChestBox: 1 },
  });
  t.strictSame(
    within.readings.map(({ fixations: kept }) => kept.length),
    [2, 1],
  );
  t.throws(() => withinChestBoxes({} as never), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('phases and sizes', async (t) => {
  const options = { maxFaultShare: 1 };
  const table = await read(t, { phase: 2, metadata: [row('A', 'a.dcm', '0', '400,900')] }, options);
  t.match(table, { filtered: { offFilm: 2 }, readings: [{ image: 'a', fixations: { length: 1 } }] });
  await t.rejects(read(t, { phase: 2 }, { phases: [3] }), { code: 'ERR_FILE', message: /metadata_phase_3/ });
  await t.rejects(readReflacx(t.testdir({ main_data: {} })), { code: 'ERR_FILE', message: /none is there/ });
  await t.rejects(read(t, {}, { phases: [4] }), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('faults name file, line and column', async (t) => {
  const refused = (extra: Extra, expected: { code: string; message: RegExp }) =>
    t.rejects(read(t, extra), expected);
  await refused(
    { fixations: [fixations[0] as string, '1,0.5,1,1,'] },
    { code: 'ERR_TABLE', message: /A\/fixations\.csv, line 2 \(the end is before/ },
  );
  await refused({ metadata: [row('../A')] }, { code: 'ERR_PATH_ESCAPE', message: /line 2, column 'id'/ });
  await refused({ metadata: [row('A', '..')] }, { code: 'ERR_PATH_ESCAPE', message: /column 'image'/ });
  await refused(
    { metadata: [row('A'), row('A')] },
    { code: 'ERR_TABLE', message: /line 3, column 'id'.*before/ },
  );
  await refused(
    { metadata: [row('A', 'a', 'maybe')] },
    { code: 'ERR_TABLE', message: /neither True nor False/ },
  );
  await refused(
    { metadata: [row('A', 'a', 'False', '0,5')] },
    { code: 'ERR_TABLE', message: /image_size_x/ },
  );
  await refused({ metadata: [row('C')] }, { code: 'ERR_FILE', message: /C\/fixations\.csv/ });
  await refused({ fixations: ['x_position', '1'] }, { code: 'ERR_TABLE', message: /no column 'y_position'/ });
  await refused({ box: ['xmin,ymin,xmax,ymax'] }, { code: 'ERR_TABLE', message: /one row but found 0/ });
  await refused(
    { box: ['xmin,ymin,xmax,ymax', '1,1,0,5'] },
    { code: 'ERR_TABLE', message: /'xmax': the box ends/ },
  );
  await refused(
    { box: ['xmin,ymin,xmax,ymax', '1,?,0,5'] },
    { code: 'ERR_TABLE', message: /'ymin': "\?" is not/ },
  );
});
