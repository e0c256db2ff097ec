import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { openTable, parseWhere, type TableOptions } from '../../lib/data/table-dataset.js';

const TABLE = [
  'id,path,patient,split,finding,source',
  'a,x/a.png,007,train,Mass,nih',
  'b,x/b.png,007,train,Edema,nih',
  'c,x/c.png,008,train,Edema,other',
  'd,x/d.png,009,val,Nodule,third',
  'e,x/e.png,010,test,,nih',
  'f,x/f.png,011,test,Mass,other',
  '',
];

/** Opens a table written for the occasion. */
async function open(
  test: Pick<Test, 'testdir'>,
  lines: readonly string[],
  options: Partial<TableOptions> = {},
): ReturnType<typeof openTable> {
  const dir = test.testdir({ 'labels.csv': lines.join('\n') });
  const base = { csv: join(dir, 'labels.csv'), root: join(dir, 'data'), labelColumn: 'finding' };
  return openTable({ ...base, splitColumn: 'split', patientColumn: 'patient', idColumn: 'id', ...options });
}

/** Changes one line of the table. */
const changed = (line: number, from: string, to: string): string[] =>
  TABLE.map((text, i) => (i === line ? text.replace(from, to) : text));

t.test('splits, classes by training frequency, skipped rows counted', async (t) => {
  const { classes, splits, rows, skipped, warnings } = await open(t, TABLE, { emptyLabel: 'skip' });
  t.strictSame(classes, ['Edema', 'Mass', 'Nodule'], 'by frequency in train');
  t.strictSame([...splits.keys()], ['train', 'val', 'test']);
  t.equal(rows, 6);
  t.strictSame(skipped, { where: 0, emptyLabel: 1, unknownLabel: 0 });
  const train = splits.get('train');
  t.strictSame([train?.length, train?.classCounts, [...(train?.labels ?? [])]], [3, [2, 1, 0], [1, 0, 0]]);
  t.match(train?.sample(0), {
    id: 'a',
    label: 1,
    patient: '007',
    image: { kind: 'file', path: /data.x.a\.png$/ },
  });
  t.match(splits.get('test')?.origin(0), /labels\.csv, line 7$/);
  t.match(warnings, [{ kind: 'class-without-training-images', details: { classes: ['Nodule'] } }]);
});

t.test('equal frequencies are ordered by name, not by the order of the rows', async (t) => {
  const lines = ['path,label', '1,b', '2,c', '3,a', '4,c', '5,B'];
  const { classes, splits } = await open(t, lines, {
    labelColumn: 'label',
    splitColumn: undefined,
    patientColumn: undefined,
    idColumn: undefined,
  } as object);
  t.strictSame(classes, ['c', 'B', 'a', 'b']);
  t.strictSame([...splits.keys()], ['all'], 'without a split column there is one split');
  t.strictSame(splits.get('all')?.ids, ['1', '2', '3', '4', '5'], 'the path is the id by default');
  t.notOk('patient' in (splits.get('all')?.sample(0) ?? {}), 'patients are unknown');
});

t.test('where', async (t) => {
  const nih = await open(t, TABLE, { emptyLabel: 'skip', where: [parseWhere('source=nih')] });
  t.strictSame(nih.skipped, { where: 3, emptyLabel: 1, unknownLabel: 0 });
  t.strictSame([...nih.splits.keys()], ['train']);
  const two = await open(t, TABLE, {
    where: [
      { column: 'source', equals: ['other', 'third'] },
      { column: 'split', equals: ['train', 'val'] },
    ],
  });
  t.strictSame(
    [...two.splits].map(([name, set]) => [name, set.length]),
    [
      ['train', 1],
      ['val', 1],
    ],
  );
  const empty = await open(t, TABLE, { where: [{ column: 'finding', equals: 'Mass' }] });
  t.strictSame(empty.classes, ['Mass'], 'classes are those of the rows that stay');
  await t.rejects(open(t, TABLE, { where: [parseWhere('source=nhi')] }), {
    code: 'ERR_TABLE',
    message: /column 'source': no row holds "nhi"; did you mean 'nih'/,
  });
  await t.rejects(open(t, TABLE, { where: [parseWhere('sources=nih')] }), {
    code: 'ERR_TABLE',
    message: /did you mean 'source'/,
  });
  await t.rejects(open(t, TABLE, { where: [parseWhere('source=third'), parseWhere('split=test')] }), {
    code: 'ERR_TABLE',
    message: /no rows with source=third and split=test/,
  });
});

t.test('where, as the command line writes it', async (t) => {
  t.strictSame(parseWhere('source=nih'), { column: 'source', equals: ['nih'] });
  t.strictSame(parseWhere('source=montgomery,shenzhen'), {
    column: 'source',
    equals: ['montgomery', 'shenzhen'],
  });
  t.strictSame(
    parseWhere('url=http://x?a=b'),
    { column: 'url', equals: ['http://x?a=b'] },
    'the first = counts',
  );
  t.strictSame(parseWhere('fault='), { column: 'fault', equals: [''] });
  for (const clause of ['source', '=nih', '', 3 as unknown as string])
    t.throws(() => parseWhere(clause), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('classes of its own', async (t) => {
  const classes = ['Nodule', 'Mass', 'Edema', 'Hernia'];
  const { splits, warnings } = await open(t, TABLE, { emptyLabel: 'skip', classes });
  t.strictSame([...(splits.get('train')?.labels ?? [])], [1, 2, 2], 'in the order given');
  t.match(warnings, [{ details: { classes: ['Nodule', 'Hernia'] } }]);
  await t.rejects(open(t, TABLE, { emptyLabel: 'skip', classes: ['Mass', 'Edema', 'Nodul'] }), {
    code: 'ERR_TABLE',
    message:
      /labels\.csv, line 5, column 'finding': "Nodule" is not one of the 3 classes; did you mean 'Nodul'/,
    details: { line: 5, column: 'finding', found: 'Nodule' },
  });
  const some = await open(t, TABLE, { emptyLabel: 'skip', classes: ['Mass'], skipUnknownLabels: true });
  t.strictSame(
    some.skipped,
    { where: 0, emptyLabel: 1, unknownLabel: 3 },
    'left out only if asked for, and counted',
  );
  t.strictSame(
    [...some.splits].map(([name, set]) => [name, set.length]),
    [
      ['train', 1],
      ['val', 0],
      ['test', 1],
    ],
  );
  for (const wrong of [[], ['a', 'a'], ['a', ''], 'a'])
    await t.rejects(open(t, TABLE, { classes: wrong as string[] }), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('what is wrong with a table names file, line and column', async (t) => {
  const refuses = (lines: string[], message: RegExp, options: Partial<TableOptions> = {}): Promise<unknown> =>
    t.rejects(
      open(t, lines, { emptyLabel: 'skip', ...options }),
      { code: 'ERR_TABLE', message },
      `${message}`,
    );
  await refuses(
    TABLE,
    /line 6, column 'finding': the label is empty, as in 1 of 6 rows; with emptyLabel 'skip'/,
    { emptyLabel: 'error' },
  );
  await refuses(changed(0, 'finding', 'findings'), /no column 'finding'; did you mean 'findings'/);
  await refuses(changed(0, 'patient', 'subject'), /no column 'patient'/);
  await refuses(changed(2, 'b,', 'a,'), /line 3, column 'id': "a" was already given in line 2/);
  await refuses(
    changed(6, 'x/f.png', 'x/a.png'),
    /line 7, column 'path': "x\/a.png" was already given in line 2/,
    { idColumn: 'path' },
  );
  await refuses(changed(4, 'x/d.png', ''), /line 5, column 'path': the path is empty/);
  await refuses(changed(4, 'd,', ','), /line 5, column 'id': the id is empty/);
  await refuses(changed(4, ',val', ','), /line 5, column 'split': the split is empty/);
  await refuses(TABLE.slice(0, 1), /no rows/);
  await refuses(TABLE, /no row with a label is in the split 'training'.*'train', 'val', 'test'/, {
    trainSplit: 'training',
  });
  const unlabelled = TABLE.map((line, i) => (i === 0 ? line : line.replace(/,(Mass|Edema|Nodule),/, ',,')));
  await refuses(unlabelled, /the label is empty, as in 6 of 6 rows$/);
  t.equal(
    (await open(t, changed(5, 'e,', 'a,'), { emptyLabel: 'skip' })).skipped.emptyLabel,
    1,
    'rows left out may repeat an id',
  );
});

t.test('films whose classes are not asked for', async (t) => {
  const lines = TABLE.map((line) =>
    line
      .split(',')
      .filter((_, i) => i !== 4)
      .join(','),
  );
  const { classes, splits, skipped, warnings } = await open(t, lines, { labelColumn: null });
  t.strictSame(classes, ['unlabelled']);
  t.strictSame(
    [...splits].map(([name, { length, classCounts }]) => [name, length, classCounts]),
    [
      ['train', 3, [3]],
      ['val', 1, [1]],
      ['test', 2, [2]],
    ],
    'no row is left out',
  );
  t.strictSame([skipped, warnings], [{ where: 0, emptyLabel: 0, unknownLabel: 0 }, []]);
  t.equal(
    (await open(t, TABLE, { labelColumn: null })).splits.get('test')?.length,
    2,
    'labels are not looked at',
  );
  for (const idle of [{ emptyLabel: 'skip' }, { classes: ['Mass'] }, { skipUnknownLabels: true }] as const)
    await t.rejects(open(t, TABLE, { labelColumn: null, ...idle }), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /nothing where labelColumn is null/,
    });
});

t.test('patients in two splits and rows without one are told', async (t) => {
  const { warnings } = await open(t, changed(6, '011', '007'), { emptyLabel: 'skip' });
  t.match(warnings[0], {
    kind: 'patient-in-two-splits',
    message: '1 patient is in more than one split: 007 (train, test)',
    details: { patients: [{ patient: '007', splits: ['train', 'test'] }] },
  });
  const without = await open(t, changed(6, '011', ' '), { emptyLabel: 'skip' });
  t.match(without.warnings.at(-1), { kind: 'row-without-patient', details: { lines: [7] } });
  t.equal(without.splits.get('test')?.sample(0).patient, undefined);
});

t.test('paths out of the root', async (t) => {
  for (const path of ['../b.png', '/b.png', 'x/../../b.png', 'C:\\b.png'])
    await t.rejects(open(t, changed(2, 'x/b.png', path), { emptyLabel: 'skip' }), {
      code: 'ERR_PATH_ESCAPE',
      message: /labels\.csv, line 3, column 'path'/,
    });
  const dir = t.testdir({ data: { x: {} }, secret: { 'b.png': '' } });
  await symlink(join(dir, 'secret', 'b.png'), join(dir, 'data', 'x', 'b.png'));
  await writeFile(join(dir, 'labels.csv'), TABLE.join('\n'));
  const table = {
    csv: join(dir, 'labels.csv'),
    root: join(dir, 'data'),
    labelColumn: 'finding',
    emptyLabel: 'skip',
  } as const;
  await t.rejects(openTable(table), {
    code: 'ERR_PATH_ESCAPE',
    message: /line 3, column 'path': a symbolic link leads .* CXR_GAZE_LINKS/,
  });
});

t.test('any table: every row is in a split or counted as skipped', async () => {
  const cell = fc.constantFrom('a', 'b', 'c', '');
  const rows = fc.array(fc.tuple(cell, fc.constantFrom('train', 'val')), { minLength: 1, maxLength: 12 });
  const dir = t.testdir({});
  await fc.assert(
    fc.asyncProperty(rows, fc.constantFrom('\n', '\r\n'), async (all, end) => {
      const csv = join(dir, 'p.csv');
      await writeFile(
        csv,
        ['path,label,split', ...all.map(([label, split], i) => `${i}.png,${label},${split}`)].join(end),
      );
      const labelled = all.filter(([label]) => label !== '');
      try {
        const { splits, skipped, classes } = await openTable({
          csv,
          root: dir,
          splitColumn: 'split',
          emptyLabel: 'skip',
        });
        const sets = [...splits.values()];
        const counted = classes.map(
          (name) => labelled.filter(([label, split]) => label === name && split === 'train').length,
        );
        return (
          sets.reduce((n, set) => n + set.length, 0) === labelled.length &&
          skipped.emptyLabel === all.length - labelled.length &&
          counted.every((n, k) => n === splits.get('train')?.classCounts[k] && n <= (counted[k - 1] ?? n)) &&
          sets.every((set) =>
            set.ids.every((id, i) => classes[set.labels[i] as number] === all[Number.parseInt(id, 10)]?.[0]),
          )
        );
      } catch (error) {
        return (
          (error as { code: string }).code === 'ERR_TABLE' && !labelled.some(([, split]) => split === 'train')
        );
      }
    }),
  );
});

t.test('misuse', async (t) => {
  for (const options of [
    { csv: '' },
    { root: 3 },
    { emptyLabel: 'drop' },
    { emptyLabels: 'skip' },
    { where: 'source=nih' },
    { where: [{ column: 'source' }] },
    { where: [{ column: 'source', equals: [] }] },
    { where: [{ column: 'source', equal: 'x' }] },
    { pathColumn: '' },
  ])
    await t.rejects(
      open(t, TABLE, options as object),
      { code: 'ERR_INVALID_ARGUMENT' },
      JSON.stringify(options),
    );
  await t.rejects(open(t, TABLE, { csv: join('no', 'such.csv') }), {
    code: 'ERR_FILE',
    message: /such\.csv/,
  });
});
