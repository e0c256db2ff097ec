import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CsvRows, compareOutput, OrderedEntries, RoundedText } from './compare.js';
import type { Kind } from './kind.js';
import { addedAtLabels, type Filled, filled, makeInput } from './recipe.js';
import { type Known, runFolder, summarise } from './runner.js';

const double: Kind = {
  config: ['factor'],
  inputs: ['x'],
  waits: ({ factor }) => (factor === 7 ? 'the table of sevens is not at hand' : undefined),
  run: ({ config, inputs }) => {
    const { shape, data } = inputs.x as { shape: number[]; data: Float32Array };
    return { y: { shape, data: data.map((v) => v * (config.factor as number)) }, name: 'double' };
  },
};

const known: Known = {
  kinds: new Map([['here/double', double]]),
  systems: ['elsewhere'],
};

const x = { fill: 'x', shape: [3] };
const values = [-0.62997554, -0.45471215, -0.09956894].map((v) => 2 * v);
const good = {
  case: 'here/double',
  config: { factor: 2 },
  inputs: { x },
  outputs: { y: { shape: [3], values }, name: 'double' },
  tolerance: { rtol: 1e-6, atol: 1e-7 },
};

async function run(t: Test, cases: Record<string, unknown>): Promise<{ status: string; notes: string }[]> {
  const folder = t.testdir({ deep: {} });
  mkdirSync(join(folder, 'deep', 'er'));
  for (const [name, content] of Object.entries(cases)) {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    writeFileSync(join(folder, 'deep', 'er', `${name}.json`), text);
  }
  const outcomes = await runFolder(folder, known);
  t.equal(outcomes.length, Object.keys(cases).length, 'every case has an outcome');
  return outcomes.map(({ status, notes }) => ({ status, notes: notes.join('\n') }));
}

t.test('finds cases in folders of folders and passes what agrees', async (t) => {
  t.same(await run(t, { a: good, b: good }), [
    { status: 'passed', notes: '' },
    { status: 'passed', notes: '' },
  ]);
});

t.test('fails what differs', async (t) => {
  const wrong = [
    { ...good, outputs: { y: { shape: [3], values: [...values.slice(0, 2), 0] } } },
    { ...good, outputs: { y: { shape: [1, 3], values } } },
    { ...good, outputs: { y: { shape: [3], samples: { 1: 5 }, sum: -2.36851326, abs_sum: 2.36851326 } } },
    { ...good, outputs: { y: { shape: [3], samples: {}, sum: -2.3, abs_sum: 2.36851326 } } },
    { ...good, outputs: { name: 'twofold' } },
    { ...good, outputs: { y: null } },
  ];
  for (const [i, item] of wrong.entries()) {
    const [outcome] = await run(t, { item });
    t.equal(outcome?.status, 'failed', `case ${i}: ${outcome?.notes}`);
  }
});

t.test('fails what it has never heard of', async (t) => {
  const unknown: [string, unknown, RegExp][] = [
    ['kind', { ...good, case: 'here/triple' }, /unknown kind/],
    ['system', { ...good, case: 'nowhere/double' }, /unknown kind/],
    ['config', { ...good, config: { factor: 2, power: 3 } }, /unknown config key 'power'/],
    ['input', { ...good, inputs: { x, z: x } }, /unknown input 'z'/],
    ['recipe', { ...good, inputs: { x: { ...x, squeeze: 2 } } }, /unknown recipe inputs.x.squeeze/],
    ['output', { ...good, outputs: { ...good.outputs, w: 1 } }, /unknown output key 'w'/],
    ['tensor key', { ...good, outputs: { y: { shape: [3], values, median: 1 } } }, /unknown key 'median'/],
    ['torn file', '{ "case": "here/dou', /JSON/],
    ['no case', [], /not an object/],
  ];
  for (const [name, item, notes] of unknown) {
    const [outcome] = await run(t, { item });
    t.equal(outcome?.status, 'failed', name);
    t.match(outcome?.notes, notes, name);
  }
});

t.test('counts what is not built or not at hand as skipped', async (t) => {
  const folder = t.testdir({
    'b.json': JSON.stringify({ ...good, case: 'elsewhere/thing', inputs: { z: { squeeze: 1 } } }),
    'b2.json': JSON.stringify({ ...good, case: 'elsewhere/other' }),
    'c.json': JSON.stringify({ ...good, config: { factor: 7 } }),
    'd.json': JSON.stringify(good),
    'e.json': '{}',
    'README.md': 'no case',
  });
  const lines = summarise(await runFolder(folder, known));
  t.equal(lines.at(-1), '1 passed, 1 failed, 3 skipped');
  t.ok(
    lines.includes(
      'skipped 2 cases, the system elsewhere is not built yet: elsewhere/other, elsewhere/thing',
    ),
  );
  t.ok(lines.some((line) => line.startsWith('FAILED e.json')));
});

t.test('makes inputs by their recipes', async (t) => {
  const data = (recipe: object): number[] =>
    Array.from((makeInput('i', { ...x, ...recipe }) as { data: ArrayLike<number> }).data);
  const u = [-0.6299755414947867, -0.4547121464274824, -0.0995689369738102];
  const near = (a: number[], b: number[]): boolean =>
    a.every((v, i) => Math.abs(v - (b[i] as number)) < 1e-6);
  t.ok(near(data({}), u));
  t.ok(
    near(
      data({ scale: 3, offset: 1 }),
      u.map((v) => 3 * v + 1),
    ),
  );
  t.ok(
    near(
      data({ scale: 3, double: true }),
      u.map((v) => 3 * v),
    ),
  );
  t.same(data({ shape: [3, 1], zero_first: true })[0], 0);
  t.same(
    data({ bytes: true }),
    u.map((v) => Math.floor((v + 1) * 128)),
  );
  t.same(data({ classes: 10 }), [1, 2, 4]);
  t.same(data({ classes: 10, power: 2 }), [0, 0, 2]);
  t.same(data({ classes: 2, first_labels_in_order: true }), [0, 1, 0]);
  const logits = makeInput('i', { fill: 'x', shape: [3, 1], add_at_label: 0.5 }) as Filled;
  t.ok(
    near(
      Array.from(addedAtLabels(logits, filled('l', [0, 0, 0], 'label'))),
      u.map((v) => v + 0.5),
    ),
  );
  t.same(makeInput('i', { literal: ['a'] }), ['a']);
  t.same(makeInput('i', [1, 2]), [1, 2], 'a plain list is literal');
  t.same(
    filled('i', [
      [1, 2, 3],
      [4, 5, 6],
    ]),
    { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
  );
  t.same(filled('i', [1, 2], 'label'), { shape: [2], data: Int32Array.of(1, 2) });
  t.throws(() => filled('i', [[1, 2], [3]]), /different lengths/);
  t.throws(() => filled('i', ['a']), /not a number/);
  t.throws(() => makeInput('i', { literal: 1, fill: 'x' }), /literal/);
});

t.test('compares nested outputs and counts', async (t) => {
  const exact = { rtol: 0, atol: 0 };
  t.same(
    compareOutput(
      'o',
      { a: [1, [2]], b: 'x', c: null, d: true },
      { a: [1, [2]], b: 'x', c: null, d: true },
      exact,
    ),
    [],
  );
  const entries = new OrderedEntries([
    ['a', [1]],
    ['b', [2, 3]],
  ]);
  t.same(compareOutput('o', entries, { a: [1], b: [2, 3] }, exact), []);
  t.not(compareOutput('o', entries, { b: [2, 3], a: [1] }, exact).length, 0, 'the order counts');
  t.not(compareOutput('o', entries, { a: [1] }, exact).length, 0, 'a key too many');
  const rows = new CsvRows(['a,0.50,x', 'b,1,y', 'c,2,z']);
  t.same(compareOutput('o', rows, ['a,0.5,x', 'b,1.0,y'], exact), [], 'numbers as numbers');
  t.equal(compareOutput('o', rows, ['a,0.5,x', 'b,1.1,y'], exact).length, 1);
  t.equal(compareOutput('o', rows, ['a,0.5,w'], exact).length, 1);
  t.not(compareOutput('o', rows, ['a,0.5,x', 'b,1,y', 'c,2,z', 'd,3,w'], exact).length, 0, 'a row too few');
  const text = new RoundedText('a 0.1234564\nb 3');
  t.same(compareOutput('o', text, { text: 'a 0.12345649999\nb 3' }, exact), [], 'six decimals count');
  t.equal(compareOutput('o', text, { text: 'a 0.1234567\nb 3' }, exact).length, 1);
  t.equal(compareOutput('o', text, { text: 'a 0.1234564\nb 4' }, exact).length, 1);
  t.equal(compareOutput('o', [1, 2], [1, 3], exact).length, 1);
  t.equal(compareOutput('o', [1], [1, 2], exact).length, 1);
  t.equal(compareOutput('o', { a: 1 }, { a: 1, b: 2 }, exact).length, 1);
  t.equal(compareOutput('o', Number.NaN, 1, { rtol: 1, atol: 1 }).length, 1);
  t.equal(compareOutput('o', null, 1, exact).length, 1);
});
