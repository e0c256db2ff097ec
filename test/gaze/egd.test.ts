import t, { type Test } from 'tap';
import { type EgdOptions, readEgd } from '../../lib/gaze/egd.js';

const columns = 'SESSION_ID,DICOM_ID,Time (in secs),FPOGX,FPOGY,FPOGD,X_ORIGINAL,Y_ORIGINAL';
const master = [
  'dicom_id,path,image_top_pad,image_bottom_pad,image_left_pad,image_right_pad,dx1',
  'one,files/p10/one.dcm,0,0,480,480,"secret, ""text""\nof two lines"',
  'two,files/p11/two.dcm,40,40,0,0,secret',
];

interface Files {
  readonly eye_gaze?: readonly string[];
  readonly fixations?: readonly string[];
  readonly master_sheet?: readonly string[];
}

function read(t: Test, files: Files, options?: EgdOptions) {
  const all = Object.entries(files).map(([name, lines]) => [`${name}.csv`, `${lines.join('\r\n')}\r\n`]);
  return readEgd(t.testdir(Object.fromEntries(all)), options);
}

t.test('samples: screen to film, the time since the sample before', async (t) => {
  const eye_gaze = [
    columns,
    '1,one,0.25,0.25,0,9,-2,0', // left edge
    '1,one,0.75,0.5,0.5,9,5,5',
    '1,one,0.5,0.75,1,9,5,5', // out of order; right lower corner
    '1,two,0.5,0,0,9,5,5', // above the film
    '1,calibration,0,0.5,0.5,9,-2,-2',
    '1,two,2,1,0.5,9,5,5',
    '1,two,3,0.5,nan,9,5,5',
    '1,two,5,0.5,0.5,9,5,5',
  ];
  const options = { maxFaultShare: 0.5 };
  const table = await read(t, { eye_gaze, master_sheet: master }, options);
  t.strictSame(table.filtered, { notFinite: 1, endBeforeStart: 0, offFilm: 1, unsorted: 1, calibration: 1 });
  t.equal(table.rows, 8);
  const [one, two] = table.readings;
  t.match(one, { id: 'one', image: 'one', width: 960, height: 1080, stamp: 'end' });
  t.strictSame(one?.fixations, [
    { x: 0, y: 0, start: 0, end: 0.25 },
    { x: 960, y: 1080, start: 0.25, end: 0.5 },
    { x: 480, y: 540, start: 0.5, end: 0.75 },
  ]);
  t.match(two, { id: 'two', width: 1920, height: 1000 });
  t.strictSame(
    two?.fixations,
    [
      { x: 1920, y: 500, start: 0.5, end: 2 },
      { x: 960, y: 500, start: 2, end: 5 },
    ],
    'the time off the film is nobody else’s',
  );
  const kept = await read(t, { eye_gaze, master_sheet: master }, { ...options, offFilm: 'keep' });
  t.strictSame(kept.readings[1]?.fixations[0], { x: 0, y: -40, start: 0, end: 0.5 });
});

t.test('fixations, in pixels of films whose sizes are given', async (t) => {
  const fixations = [columns, '1,one,1,0,0,0.75,100,200', '1,one,2.5,0,0,1,-2,300', '1,two,4,0,0,0,2000,1'];
  const films = new Map([
    ['one', { width: 2048, height: 2500 }],
    ['two', { width: 1000, height: 1000 }],
  ]);
  const options: EgdOptions = { table: 'fixations', films, maxFaultShare: 1 };
  const table = await read(t, { fixations }, options);
  t.match(table.readings[0], { width: 2048, height: 2500, stamp: 'start' });
  t.strictSame(table.readings[0]?.fixations, [{ x: 100, y: 200, start: 0.25, end: 1 }]);
  t.equal(table.filtered.offFilm, 2);
  films.delete('two');
  const left = await read(t, { fixations }, options);
  t.match(left, { rows: 3, filtered: { unknownFilm: 1, offFilm: 1 }, unknownFilms: ['two'] });
  t.equal(left.readings.length, 1);
  const asked: string[] = [];
  const lookup = async (image: string) => {
    asked.push(image);
    return films.get(image);
  };
  t.same(await read(t, { fixations }, { ...options, films: lookup }), left, 'looked up');
  t.same(asked, ['one', 'two']);
  films.delete('one');
  await t.rejects(read(t, { fixations }, options), {
    code: 'ERR_DATASET',
    message: /all of its 2 films is not known: 'one', 'two'/,
  });
  films.set('one', { width: 2048, height: 2500 });
  const known = await read(t, { fixations, master_sheet: master.slice(0, 2) }, options);
  t.match(known, { filtered: { calibration: 1 } }, 'the master sheet tells what is calibration');
});

t.test('rows without a film are over calibration pictures', async (t) => {
  const eye_gaze = [columns, '1,one,0.25,0.5,0.5,9,1,1', '1,,0.5,0.5,0.5,9,1,1', '1, ,0.75,0.5,0.5,9,1,1'];
  const table = await read(t, { eye_gaze, master_sheet: master });
  t.match(table, { rows: 3, filtered: { calibration: 2, offFilm: 0 } });
  t.equal(table.readings.length, 1);
  const films = async () => ({ width: 10, height: 10 });
  t.match(await read(t, { eye_gaze, master_sheet: master }, { films }), { filtered: { calibration: 2 } });
  await t.rejects(read(t, { eye_gaze }, { films }), { code: 'ERR_PATH_ESCAPE', message: /is empty/ });
});

t.test('what is wrong is said, but never the words of the master sheet', async (t) => {
  const eye_gaze = [columns, '1,one,0.25,0.5,0.5,9,1,1'];
  const refused = async (files: Files, expected: { code: string; message: RegExp }, options?: EgdOptions) => {
    const error = await read(t, files, options).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    t.match(error, expected);
    t.notMatch(JSON.stringify([(error as Error).message, error]), /secret/);
  };
  await refused(
    { eye_gaze },
    { code: 'ERR_FILE', message: /master_sheet\.csv is not there.*sizes of the films/ },
  );
  await refused({ master_sheet: master }, { code: 'ERR_FILE', message: /eye_gaze\.csv/ });
  const sheet = (line: string) => ({ eye_gaze, master_sheet: [...master, line] });
  await refused(sheet('one,x,0,0,0,0,secret'), { code: 'ERR_TABLE', message: /line 5, column 'dicom_id'/ });
  await refused(sheet('secret/x,x,0,0,0,0,'), {
    code: 'ERR_PATH_ESCAPE',
    message: /the id holds a path separator/,
  });
  await refused(sheet('three,x,secret,0,0,0,'), {
    code: 'ERR_TABLE',
    message: /'image_top_pad': the padding/,
  });
  await refused(sheet('three,x,0,0,1000,1000,'), { code: 'ERR_TABLE', message: /no room on the screen/ });
  const short = [master[0]?.replaceAll('_pad', ''), ...master.slice(1)] as string[];
  t.equal((await read(t, { eye_gaze, master_sheet: short })).readings.length, 1, "the makers' other names");
  const absent = [master[0]?.replace('image_top_pad', 'top'), ...master.slice(1)] as string[];
  await refused(
    { eye_gaze, master_sheet: absent },
    { code: 'ERR_TABLE', message: /no column 'image_top_pad'/ },
  );
  const path = [...eye_gaze, '1,../one,1,0.5,0.5,9,1,1'];
  await refused(
    { eye_gaze: path, master_sheet: master },
    { code: 'ERR_PATH_ESCAPE', message: /line 3, column 'DICOM_ID'/ },
  );
  const unnamed = [columns.replace('Time (in secs)', 'Time'), ...eye_gaze.slice(1)];
  await refused(
    { eye_gaze: unnamed, master_sheet: master },
    { code: 'ERR_TABLE', message: /'Time \(in secs\)'/ },
  );
});
