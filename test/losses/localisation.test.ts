import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { localisationLoss, publishedAttention, softAttention } from '../../lib/losses/localisation.js';
import { type Region, readRegionTable, regions, regionTable } from '../../lib/losses/regions.js';
import { memoryStats, tensor, zeros } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { attentionWeight } from '../../lib/training/attention-weight.js';
import * as twins from '../reference/localisation.js';
import { gradientError, type Input, input, labelTensor, place, read, secondOrderError } from './support.js';

const [height, width] = [9, 11];
const table: readonly (Region | null)[] = [null, ...regions];
const labels = [0, 1, 2, 3, 4, 5, 6];
const boxes: twins.PlainBox[] = [
  [0, 0, 11, 9],
  [2, 1, 5, 5],
  [1, 2, 6, 5],
  [3, 3, 4, 4],
  [2, 2, 7, 4],
  [4, 0, 30, 30],
  [0, 0, 1, 1],
];
const maps: Input = (() => {
  const { shape, values } = input('localisation', [labels.length, height, width], 0.5);
  return { shape, values: values.map((value) => Math.fround(value + 0.5)) };
})();
const mapOf = (b: number): Float64Array => maps.values.slice(b * height * width, (b + 1) * height * width);
const flat = (all: readonly twins.PlainBox[]): Int32Array => Int32Array.from(all.flat());
const soft = (m: number, t: number, tau: number): number => 1 / (1 + Math.exp(-(m - t) / tau));

t.test('equal their twins in every region', async (t) => {
  const options = { regions: table, threshold: 0.4 };
  await tidy(async () => {
    for (const dtype of ['float32', 'float64'] as const) {
      const bound = dtype === 'float32' ? 1e-6 : 1e-12;
      const m = place(maps, dtype);
      const published = publishedAttention(m, flat(boxes), labelTensor(labels), options);
      const softened = softAttention(m, flat(boxes), labelTensor(labels), { ...options, tau: 0.05 });
      const [a, s, o] = await Promise.all([
        read(published.attention),
        read(softened.attention),
        read(softened.outside),
      ]);
      t.equal(published.attention.dtype, dtype);
      for (const [b, region] of table.entries()) {
        const box = boxes[b] as twins.PlainBox;
        const counted = twins.means(mapOf(b), width, region, box, (v) => Number(v > Math.fround(0.4)));
        const heat = twins.means(mapOf(b), width, region, box, (v) => soft(v, 0.4, 0.05));
        const or0 = (value: number): number => (Number.isNaN(value) || region === null ? 0 : value);
        const close = (x: number | undefined, y: number, what: string): void =>
          void t.ok(Math.abs((x as number) - y) <= bound, `${dtype} ${region}: ${what}`);
        close(a[b], or0(1 - counted.inside), 'published');
        close(s[b], or0(1 - heat.inside), 'soft');
        close(o[b], or0(heat.others), 'outside');
      }
      t.notOk((await read(published.empty)).some(Boolean), 'no region is empty');
    }
  });
});

t.test('empty regions count for nothing and are told', async (t) => {
  const cases: [Region, twins.PlainBox, boolean][] = [
    ['upper', [2, 4, 5, 1], true], // half of a row, rounded to even: up
    ['lower', [2, 4, 5, 1], false],
    ['upper', [2, 3, 5, 1], false],
    ['lower', [2, 3, 5, 1], true],
    ['outside', [0, 0, 11, 9], true],
    ['complement', [0, 0, 11, 9], true],
    ['inside', [11, 0, 4, 4], true],
    ['inside', [0, 0, 0, 0], true],
    ['whole', [0, 0, 0, 0], false],
  ];
  await tidy(async () => {
    for (const [region, box, empty] of cases) {
      const m = place({ shape: [1, height, width], values: mapOf(0) }, 'float32', true);
      const result = softAttention(m, flat([box]), labelTensor([0]), { regions: [region] });
      t.equal(Boolean((await read(result.empty))[0]), empty, `${region} ${box}`);
      const [a] = await read(result.attention);
      t.equal(a === 0, empty);
      if (empty) t.equal((await read(result.outside))[0], 0, 'nothing is known of what is elsewhere');
      const hard = publishedAttention(m, flat([box]), labelTensor([0]), { regions: [region] });
      t.same(await read(hard.empty), await read(result.empty));
      result.attention.add(result.outside).sum().backward();
      t.ok((await read(m.grad())).every(Number.isFinite));
    }
  });
});

t.test('boxes of another size are scaled to the map, and may be given in three ways', async (t) => {
  const box: twins.PlainBox = [30, 41, 90, 101];
  const options = { regions: table, boxSize: { width: 224, height: 200 } };
  await tidy(async () => {
    const m = place({ shape: [1, height, width], values: mapOf(3) }, 'float64');
    const plain = { x: box[0], y: box[1], width: box[2], height: box[3] };
    const given = [flat([box]), [plain], tensor(flat([box]), [1, 4])];
    for (const region of regions) {
      const scaled = twins.scaledBox(box, [200, 224], [height, width]);
      const expected = twins.means(mapOf(3), width, region, scaled, (v) => Number(v > 0.3)).inside;
      for (const boxes of given) {
        const label = labelTensor([table.indexOf(region)]);
        const [a] = await read(publishedAttention(m, boxes, label, options).attention);
        t.ok(Math.abs((a as number) - (1 - expected)) < 1e-12, region);
      }
    }
  });
});

t.test(
  'the soft term has exact gradients of first and second order, and tends to the counted one',
  async (t) => {
    const small = { shape: [1, height, width], values: mapOf(1) };
    for (const region of ['upper', 'outside'] as const) {
      const options = { regions: [region], threshold: 0.5, tau: 0.2 };
      const box = boxes[1] as twins.PlainBox;
      const loss = (m: Tensor): Tensor => {
        const terms = softAttention(m, flat([box]), labelTensor([0]), options);
        return localisationLoss(m.mean(), terms, { lambda: 0.25, penaliseOutside: 2 });
      };
      const twin = (values: Float64Array): number => {
        const { inside, others } = twins.means(values, width, region, box, (v) => soft(v, 0.5, 0.2));
        const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
        return 0.25 * mean + 0.75 * (1 - inside + 2 * others);
      };
      t.ok((await gradientError(loss, twin, small)) < 1e-8, `${region}: gradient`);
      t.ok((await secondOrderError(loss, small)) < 1e-6, `${region}: second order`);
    }
    await tidy(async () => {
      const m = place(maps, 'float64');
      const options = { regions: table, threshold: 0.5 };
      const hard = await read(publishedAttention(m, flat(boxes), labelTensor(labels), options).attention);
      const terms = softAttention(m, flat(boxes), labelTensor(labels), { ...options, tau: 1e-5 });
      const sharp = await read(terms.attention);
      t.ok(hard.every((value, i) => Math.abs(value - (sharp[i] as number)) < 1e-3));
    });
  },
);

t.test('of the loss nothing but itself is left', async (t) => {
  const [a, o] = [tensor([0.25, 0.75]), tensor([0, 1])];
  const before = memoryStats().liveTensors;
  const terms = { attention: a, outside: o, empty: a };
  const loss = localisationLoss(a, terms, { lambda: 0.5, penaliseOutside: 2 });
  t.equal(await loss.item(), 1);
  t.equal(memoryStats().liveTensors, before + 1);
  for (const one of [a, o, loss]) one.dispose();
});

t.test('the published term has no gradient', async (t) => {
  await tidy(async () => {
    const logits = place(input('logits', [2, 2]), 'float64', true);
    const m = place(
      { shape: [2, height, width], values: maps.values.slice(0, 2 * height * width) },
      'float64',
      true,
    );
    const terms = publishedAttention(m, flat(boxes.slice(0, 2)), labelTensor([1, 1]), {
      regions: regionTable('ne'),
    });
    const classification = logits.logSoftmax(1).select(1, 0).neg();
    localisationLoss(classification, terms, { lambda: 0.5 }).backward();
    t.ok((await read(logits.grad())).some((value) => value !== 0));
    await t.rejects(
      tidy(async () => m.grad().data()),
      { message: /backward/ },
    );
  });
});

t.test('refuse what does not fit', async (t) => {
  const m = zeros([1, 4, 4]);
  const label = labelTensor([1]);
  const box = Int32Array.of(0, 0, 2, 2);
  const code = 'ERR_INVALID_ARGUMENT';
  const ne = { regions: regionTable('ne') };
  const rejects = (
    call: () => { attention: Tensor },
    error: { code?: string; message: RegExp },
  ): Promise<unknown> =>
    t.rejects(
      tidy(async () => call().attention.data()),
      error,
    );
  await rejects(() => publishedAttention(m, box, labelTensor([2]), ne), {
    code,
    message: /0 to 1 for labels\[0\]/,
  });
  await rejects(() => publishedAttention(m, Int32Array.of(0, -1, 2, 2), label, ne), {
    code,
    message: /boxes\[0\]/,
  });
  await rejects(() => publishedAttention(m, Int32Array.of(0, 0, 2, 2, 0, 0, 1, 1), label, ne), {
    code: 'ERR_INVALID_SHAPE',
    message: /\[1, 4\] for boxes/,
  });
  await rejects(() => softAttention(zeros([4, 4]), box, label, ne), {
    code: 'ERR_INVALID_SHAPE',
    message: /maps/,
  });
  await rejects(() => softAttention(m, zeros([1, 4]), label, ne), { message: /integers/ });
  const throws = (call: () => unknown, message: RegExp): void => void t.throws(call, { code, message });
  throws(() => publishedAttention(m, Int32Array.of(1, 2, 3), label, ne), /boxes/);
  throws(() => publishedAttention(m, [{ x: 0.5, y: 0, width: 1, height: 1 }], label, ne), /boxes\[0\]\.x/);
  throws(() => publishedAttention(m, box, label, { ...ne, threshold: 1.1 }), /threshold/);
  throws(() => publishedAttention(m, box, label, { ...ne, tau: 1 } as never), /tau/);
  throws(() => softAttention(m, box, label, { ...ne, tau: 0 }), /tau/);
  throws(() => softAttention(m, box, label, { regions: ['lowr' as 'lower'] }), /nearest: 'lower'/);
  throws(() => softAttention(m, box, label, { regions: [] }), /regions/);
  const terms = publishedAttention(m, box, label, ne);
  throws(() => localisationLoss(m, terms, { lambda: 1.5 }), /lambda/);
  throws(() => localisationLoss(m, terms, { lambda: -0.1 }), /lambda/);
  throws(() => localisationLoss(m, terms, { lambda: 1, penaliseOutside: 1 }), /penaliseOutside/);
  throws(() => attentionWeight(0, { lambda: 2 }), /lambda/);
  throws(() => attentionWeight(0, {}), /lambda/);
  throws(() => regionTable('nf' as 'ne'), /'ne'/);
  for (const one of [m, label, terms.attention, terms.empty]) one.dispose();
});

t.test('λ by epoch', async (t) => {
  t.same(
    [0, 1, 34, 35, 99].map((epoch) => attentionWeight(epoch, { adaptive: true, lambda: 0.5 })),
    [1, 1 - 0.023, 1 - 0.023 * 34, 0.2, 0.2],
  );
  t.equal(attentionWeight(7, { lambda: 0.25 }), 0.25);
});

t.test("a user's table names every class and its region", async (t) => {
  const folder = t.testdir();
  const file = path.join(folder, 'regions.json');
  const classes = ['No Finding', 'Effusion', 'Hernia'];
  const reading = (content: string): Promise<unknown> => {
    writeFileSync(file, content);
    return readRegionTable(file, classes);
  };
  const good = '{ "Hernia": "complement", "No Finding": null, "Effusion": "lower" }';
  t.same(await reading(good), [null, 'lower', 'complement']);
  t.same(await reading(`\uFEFF${good}`), [null, 'lower', 'complement'], 'as some editors save it');
  const bad: [string, RegExp][] = [
    ['{ "No Finding": null, "Effusion": "lower" }', /regions\.json: the class 'Hernia' has no region/],
    [good.replace('complement', 'complemnt'), /'Hernia'.*did you mean 'complement'/],
    [good.replace('Effusion', 'Efusion'), /'Efusion' is no class; did you mean 'Effusion'/],
    [good.replace('Effusion', 'Hernia'), /'Hernia' stands there twice/],
    ['["lower"]', /expected an object/],
    ['{ "No Finding": 3 }', /but found 3/],
    ['{', /no JSON/],
  ];
  for (const [content, message] of bad) await t.rejects(reading(content), { code: 'ERR_TABLE', message });
  await t.rejects(readRegionTable(path.join(folder, 'none.json'), classes), { code: 'ERR_FILE' });
});
