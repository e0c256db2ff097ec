import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import t, { type Test } from 'tap';
import { type GazeCsvOptions, readGazeCsv } from '../../lib/gaze/gaze-csv.js';

const films = { width: 100, height: 50 };
/** Enough good rows that a few faults stay below the limit. */
const filler = Array.from({ length: 100 }, (_, i) => `z,1,1,${i},${i + 1}`);

async function read(t: Test, lines: readonly string[], options: GazeCsvOptions = { films }) {
  const folder = t.testdir({ 'gaze.csv': `${lines.join('\n')}\n` });
  return readGazeCsv(join(folder, 'gaze.csv'), options);
}

t.test('rows by film, in order of time, other columns passed over', async (t) => {
  const table = await read(t, [
    'note,end,start,y,x,id',
    'a,2,1.5,10,20.5,film.PNG',
    ',1,0.5,50,100,1.2.840.3',
    '"q, r",1.5,1,0,0,film.PNG',
    ',0.5,0,3,4,1.2.840.3',
    '',
  ]);
  t.match(table, { rows: 4, filtered: { notFinite: 0, endBeforeStart: 0, offFilm: 0, unsorted: 2 } });
  t.strictSame(
    table.readings.map(({ id, image, width, height, fixations }) => ({
      id,
      image,
      width,
      height,
      fixations,
    })),
    [
      {
        ...{ id: 'film.PNG', image: 'film', ...films },
        fixations: [
          { x: 0, y: 0, start: 1, end: 1.5 },
          { x: 20.5, y: 10, start: 1.5, end: 2 },
        ],
      },
      {
        ...{ id: '1.2.840.3', image: '1.2.840.3', ...films },
        fixations: [
          { x: 4, y: 3, start: 0, end: 0.5 },
          { x: 100, y: 50, start: 0.5, end: 1 },
        ],
      },
    ],
  );
  const [first] = table.readings;
  t.equal(first?.fixations, first?.fixations, 'the list is made once while somebody holds it');
  t.equal({ ...first }.fixations?.length, 2, 'a spread copy has it too');
});

t.test('fractions, with and without sizes', async (t) => {
  const lines = ['id,x,y,start,end', 'a,0.5,1,0,1'];
  const bare = await read(t, lines, { normalised: true });
  t.match(bare.readings[0], { width: 1, height: 1, fixations: [{ x: 0.5, y: 1 }] });
  const sized = await read(t, lines, { normalised: true, films: new Map([['a', films]]) });
  t.match(sized.readings[0], { ...films, fixations: [{ x: 50, y: 50 }] });
  await t.rejects(read(t, lines, {}), { code: 'ERR_INVALID_ARGUMENT', message: /normalised: true/ });
  await t.rejects(read(t, lines, { films: { width: 0, height: 4 } }), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('films of unknown size are left out and counted, unless there are no others', async (t) => {
  const lines = ['id,x,y,start,end', 'a,0.5,1,0,1', 'b,1,1,1,2', 'c.png,1,1,1,1', 'a,nan,1,1,1'];
  const table = await read(t, lines, { films: new Map([['b', films]]) });
  t.strictSame(
    table.readings.map(({ id }) => id),
    ['b'],
  );
  t.match(table, { rows: 4, filtered: { unknownFilm: 3, notFinite: 0 }, unknownFilms: ['a', 'c'] });
  await t.rejects(read(t, lines, { films: new Map([['d', films]]) }), {
    code: 'ERR_DATASET',
    message: /the size of all of its 3 films is not known: 'a', 'b', 'c'/,
    details: { images: ['a', 'b', 'c'] },
  });
  const strangers = Array.from({ length: 100 }, (_, i) => `a,1,1,${i},${i + 1}`);
  await t.rejects(
    read(t, ['id,x,y,start,end', ...strangers, 'b,1,1,0,1', 'b,9e9,1,0,1'], {
      films: new Map([['b', films]]),
    }),
    {
      code: 'ERR_TABLE',
      message: /1 of 2 rows \(50 %\)/,
    },
    'rows of other films do not thin the faults',
  );
  t.notOk('unknownFilms' in (await read(t, lines.slice(0, 4))));
});

t.test('sizes are looked up for the films of the table alone, a few at a time', async (t) => {
  const names = Array.from({ length: 20 }, (_, i) => `film-${i}`);
  const rows = [0, 1, 2].flatMap((start) => names.map((name) => `${name}.png,0.5,0.5,${start},${start + 1}`));
  const lines = ['id,x,y,start,end', ...rows];
  const asked: string[] = [];
  let [running, most] = [0, 0];
  const lookup = async (image: string) => {
    asked.push(image);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 2));
    running--;
    return image === 'film-7' ? undefined : films;
  };
  const shares: number[] = [];
  const options = { normalised: true, onProgress: (share: number) => shares.push(share) };
  const table = await read(t, lines, { ...options, films: lookup });
  t.strictSame([...asked].sort(), [...names].sort(), 'each once');
  t.ok(most > 1 && most < 10, `${most} at a time`);
  t.match(table, { rows: 60, filtered: { unknownFilm: 3 }, unknownFilms: ['film-7'] });
  t.equal(table.readings.length, 19);
  t.match(table.readings[0], { ...films, fixations: [{ x: 50, y: 25, start: 0, end: 1 }, {}, {}] });
  t.strictSame(
    shares,
    [...shares].sort((a, b) => a - b),
  );
  t.equal(shares.at(-1), 1);

  const broken = async (): Promise<never> => {
    throw new Error('cannot be measured');
  };
  await t.rejects(read(t, lines, { films: broken }), { message: 'cannot be measured' });
  await t.rejects(read(t, lines, { films: async () => ({ width: 0, height: 1 }) }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /options\.films\('film-\d'\)\.width/,
  });
  await t.rejects(read(t, [...lines, '../x,1,1,0,1'], { films: lookup }), { code: 'ERR_PATH_ESCAPE' });
  asked.length = 0;
  await t.rejects(read(t, ['id,x,y,start', 'a,1,1,0'], { films: lookup }), { message: /no column 'end'/ });
  t.same(asked, [], 'the structure is looked at first');
  const stop = new AbortController();
  const aborting = async () => {
    stop.abort();
    return films;
  };
  await t.rejects(read(t, lines, { films: aborting, signal: stop.signal }), {
    code: 'ERR_ABORTED',
    message: /Measuring films/,
  });
});

t.test('faulty rows are left out and counted', async (t) => {
  const bad = [
    'a,nan,1,0,1',
    'a,1,,0,1',
    'a,1,1,inf,1',
    'a,1,1,3,2',
    'a,1e9,1,0,1',
    'a,1,-0.01,0,1',
    'a,0x1,1,0,1',
  ];
  const lines = [
    'id,x,y,start,end',
    'a,1,1,5,6',
    ...bad,
    ...filler,
    ...filler.map((row) => row.replace('z', 'y')),
  ];
  const { readings, filtered, rows } = await read(t, lines);
  t.strictSame(filtered, { notFinite: 4, endBeforeStart: 1, offFilm: 2, unsorted: 0 });
  t.equal(rows, lines.length - 1);
  t.strictSame(readings[0]?.fixations, [{ x: 1, y: 1, start: 5, end: 6 }]);
  const kept = await read(t, lines, { films, offFilm: 'keep' });
  t.equal(kept.filtered.offFilm, 2, 'counted all the same');
  t.strictSame(
    kept.readings[0]?.fixations.map(({ x, y }) => [x, y]),
    [
      [1e9, 1],
      [1, -0.01],
      [1, 1],
    ],
  );
});

t.test('too many faults are an error with the first of them', async (t) => {
  const lines = ['id,x,y,start,end', ...filler.slice(0, 18), 'a,1,1,3,2', 'a,700,1,0,1'];
  await t.rejects(read(t, lines), {
    code: 'ERR_TABLE',
    message:
      /gaze\.csv: 2 of 20 rows \(10 %\) have faults, more than 5 %: 0 with .*, 1 that end before they start, 1 off the film\. The first is line 20 \(the end is before the start\)/,
    details: { rows: 20, notFinite: 0, endBeforeStart: 1, offFilm: 1 },
  });
  t.equal((await read(t, lines, { films, maxFaultShare: 0.1 })).readings.length, 2);
  t.equal((await read(t, lines, { films, maxFaultShare: 0.1 })).readings[1]?.fixations.length, 0);
});

t.test('the structure must be right, always', async (t) => {
  const header = 'id,x,y,start,end';
  const cases: readonly (readonly [string[], { code: string; message?: RegExp }])[] = [
    [
      ['id,x,y,begin,end', 'a,1,1,0,1'],
      { code: 'ERR_TABLE', message: /line 1: the table has no column 'start'/ },
    ],
    [[`${header},x`, 'a,1,1,0,1,2'], { code: 'ERR_TABLE', message: /more than one column 'x'/ }],
    [[header], { code: 'ERR_TABLE', message: /no recording/ }],
    [[], { code: 'ERR_TABLE', message: /the table is empty/ }],
    [[header, 'a,1,1,0'], { code: 'ERR_TABLE', message: /line 2/ }],
    [
      [header, 'a,1,1,0,1', '../../etc/passwd,1,1,0,1'],
      { code: 'ERR_PATH_ESCAPE', message: /line 3, column 'id'/ },
    ],
    [[header, 'files\\p10\\x.dcm,1,1,0,1'], { code: 'ERR_PATH_ESCAPE', message: /a path separator/ }],
    [[header, '..,1,1,0,1'], { code: 'ERR_PATH_ESCAPE', message: /holds '\.\.'/ }],
    [[header, ',1,1,0,1'], { code: 'ERR_PATH_ESCAPE', message: /the id "" is empty/ }],
    [[header, '"a\nb",1,1,0,1'], { code: 'ERR_PATH_ESCAPE', message: /line 2.*control character/ }],
    [[header, `${'a'.repeat(300)},1,1,0,1`], { code: 'ERR_PATH_ESCAPE', message: /longer than 200/ }],
    [[header, `"a,1,1,0,1\n${'b,1,1,0,1\n'.repeat(9)}`], { code: 'ERR_TABLE' }],
  ];
  for (const [lines, expected] of cases)
    await t.rejects(read(t, lines), expected, lines.at(-1)?.slice(0, 40) ?? '');
  const folder = t.testdir({ 'latin.csv': Buffer.from('id,x,y,start,end\nf\xfclm,1,1,0,1\n', 'latin1') });
  await t.rejects(readGazeCsv(join(folder, 'latin.csv'), { films }), { code: 'ERR_TABLE', message: /UTF-8/ });
  await t.rejects(readGazeCsv(join(folder, 'nowhere.csv'), { films }), { code: 'ERR_FILE' });
  await t.rejects(readGazeCsv(folder, { films }), { code: 'ERR_FILE' });
  await t.rejects(readGazeCsv('x', { film: films } as GazeCsvOptions), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('a long table streams: bounded memory a row, given up on demand', async (t) => {
  const file = join(t.testdir(), 'long.csv');
  const rows = 120_000;
  async function* content() {
    yield 'id,x,y,start,end\r\n';
    // Films in turn and backwards in time: nothing stands together.
    for (let i = rows - 1; i >= 0; i -= 1000) {
      let text = '';
      for (let k = 0; k < 1000; k++) {
        const time = (i - k) / 1000;
        text += `film-${(i - k) % 50},${(i - k) % 100},${(i - k) % 50},${time},${time + 0.001}\r\n`;
      }
      yield text;
    }
  }
  await pipeline(content, createWriteStream(file));
  const shares: number[] = [];
  const begun = performance.now();
  const table = await readGazeCsv(file, { films, onProgress: (share) => shares.push(share) });
  t.comment(`${Math.round(performance.now() - begun)} ms`);
  t.equal(table.rows, rows);
  t.equal(table.readings.length, 50);
  t.equal(table.filtered.unsorted, rows - 50, 'all but the first of each film');
  const last = table.readings.find(({ id }) => id === 'film-49');
  t.equal(last?.fixations.length, rows / 50);
  t.strictSame(last?.fixations[1], { x: 99, y: 49, start: 0.099, end: 0.1 });
  t.ok(shares.length > 10 && shares.at(-1) === 1);
  t.strictSame(
    shares,
    [...shares].sort((a, b) => a - b),
  );

  const stop = new AbortController();
  const given = readGazeCsv(file, { films, signal: stop.signal, onProgress: () => stop.abort() });
  await t.rejects(given, { code: 'ERR_ABORTED' });
});
