import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { type CsvTable, parseCsv, readCsv } from '../../lib/data/csv.js';

const rowsOf = (table: CsvTable): string[][] =>
  Array.from({ length: table.length }, (_, row) => table.columns.map((_, column) => table.cell(row, column)));

t.test('line ends, byte order mark, quotes, empty lines', async (t) => {
  const expected = [
    ['1', 'x, y'],
    ['2', 'é "q"'],
  ];
  for (const end of ['\n', '\r\n'])
    for (const mark of ['', '\uFEFF'])
      for (const last of ['', end, end + end]) {
        const content = `${mark}id,note${end}1,"x, y"${end}${end}2,"é ""q"""${last}`;
        const table = await parseCsv(Buffer.from(content), 'a.csv');
        t.strictSame(
          [table.columns, rowsOf(table)],
          [['id', 'note'], expected],
          JSON.stringify([end, mark, last]),
        );
        t.strictSame(rowsOf(await parseCsv(content, 'a.csv')), expected, 'the same from text');
        t.strictSame([table.line(0), table.line(1)], [2, 4]);
      }
});

t.test('mixed line ends and rows of several lines', async (t) => {
  const table = await parseCsv('a,b\r\n1,"two\nlines"\n3,4\r\n"x\r\ny","z\nz"\n5,6', 'a.csv');
  t.strictSame(rowsOf(table), [
    ['1', 'two\nlines'],
    ['3', '4'],
    ['x\r\ny', 'z\nz'],
    ['5', '6'],
  ]);
  t.strictSame(
    [0, 1, 2, 3].map((row) => table.line(row)),
    [2, 4, 5, 8],
  );
});

t.test('columns by name', async (t) => {
  const table = await parseCsv('id,Pleural Thickening,x,x,,\n1,2,3,4,5,6', 'labels.csv');
  t.equal(table.column('id'), 0);
  t.throws(() => table.column('Pleural_Thickening'), {
    code: 'ERR_TABLE',
    message:
      /labels\.csv, line 1: .*no column 'Pleural_Thickening'; did you mean 'Pleural Thickening'\?.* 'id', 'Pleural Thickening', 'x', 'x'$/,
    details: { file: 'labels.csv', line: 1, column: 'Pleural_Thickening', nearest: 'Pleural Thickening' },
  });
  t.throws(() => table.column('x'), { code: 'ERR_TABLE', message: /more than one column 'x'/ });
  t.throws(() => table.column('nowhere near'), {
    code: 'ERR_TABLE',
    message: /no column 'nowhere near'\. Its columns/,
  });
  t.throws(() => table.cell(1, 0), { code: 'ERR_INVALID_ARGUMENT' });
  const error = table.error(0, 'x', 'is odd', { found: 3 });
  t.match(error, {
    code: 'ERR_TABLE',
    message: "labels.csv, line 2, column 'x': is odd",
    details: { line: 2, found: 3 },
  });
});

t.test('malformed tables name file and line', async (t) => {
  const refuses = (content: string | Uint8Array, message: RegExp): Promise<unknown> =>
    t.rejects(
      parseCsv(content, 'bad.csv'),
      { code: 'ERR_TABLE', message, details: { file: 'bad.csv' } },
      `${message}`,
    );
  await refuses('', /bad\.csv: the table is empty/);
  await refuses('\n\r\n', /empty/);
  await refuses('a,b\n1,2\n1,2,3\n', /bad\.csv, line 3: .*expect 2, got 3/);
  await refuses('a,b\n1\n', /line 2/);
  await refuses('a,b\n1,"2\n3,4\n', /bad\.csv, line \d: Quote Not Closed/);
  await refuses('a,b\n1,x"2\n', /line 2: Invalid Opening Quote/);
  await refuses('a,b\n1,"2"x\n', /line 2: Invalid Closing Quote/);
  await refuses(Buffer.from([0x61, 0x0a, 0xff, 0xfe]), /not UTF-8/);
  await refuses(`a\n"${'x'.repeat(2 ** 20 + 9)}"`, /line 2: Max Record Size/);
});

t.test('files', async (t) => {
  const dir = t.testdir({ 'a.csv': 'id\n007\n' });
  const table = await readCsv(join(dir, 'a.csv'));
  t.strictSame([table.file, rowsOf(table)], [join(dir, 'a.csv'), [['007']]], 'leading zeros stay');
  await t.rejects(readCsv(join(dir, 'b.csv')), { code: 'ERR_FILE', message: /b\.csv/ });
  await t.rejects(readCsv(''), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('what is written is read, whatever the text, also across the chunks of a long file', async (t) => {
  const cell = fc.string({ unit: 'binary', maxLength: 12 }).filter((s) => s !== '\uFEFF');
  const table = fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(table, fc.constantFrom('\n', '\r\n'), async (rows, end) => {
      const content = [
        'a,b,c',
        ...rows.map((row) => row.map((v) => `"${v.replaceAll('"', '""')}"`).join()),
      ].join(end);
      const read = await parseCsv(Buffer.from(content), 'p.csv');
      return JSON.stringify(rowsOf(read)) === JSON.stringify(rows);
    }),
  );
  const texts = ['\u{1F600}', 'é', 'x', ''];
  const long = Array.from({ length: 12_000 }, (_, i) => [`${i}`, texts[i % 4] as string]);
  const read = await parseCsv(`n,text\r\n${long.map((row) => row.join()).join('\r\n')}`, 'long.csv');
  t.ok(rowsOf(read).every((row, i) => row[0] === long[i]?.[0] && row[1] === long[i]?.[1]));
  t.equal(read.line(11_999), 12_001);
});
