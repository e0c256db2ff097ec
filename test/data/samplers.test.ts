import t from 'tap';
import type { Dataset } from '../../lib/data/dataset.js';
import {
  balancedWeights,
  ClassBalancedSampler,
  classCounts,
  labelsOf,
  SequentialSampler,
  ShuffledSampler,
} from '../../lib/data/samplers.js';

const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);

t.test('sequential', async (t) => {
  const sampler = new SequentialSampler({ length: 5 });
  t.strictSame([...sampler.indices(0)], [0, 1, 2, 3, 4]);
  t.strictSame([...sampler.indices(9)], [0, 1, 2, 3, 4]);
  t.equal(sampler.length, 5);
});

t.test('shuffled', async (t) => {
  const sampler = new ShuffledSampler({ length: 100, seed: 3 });
  const epoch2 = sampler.indices(2);
  sampler.indices(1);
  t.strictSame(epoch2, sampler.indices(2), 'an epoch does not depend on those before');
  t.strictSame(epoch2, new ShuffledSampler({ length: 100, seed: 3 }).indices(2), 'nor on the object');
  t.notSame(epoch2, sampler.indices(3));
  t.notSame(epoch2, new ShuffledSampler({ length: 100, seed: 4 }).indices(2));
  t.strictSame(sorted(epoch2), sorted(new SequentialSampler({ length: 100 }).indices(0)), 'each index once');
});

t.test('class-balanced', async (t) => {
  const labels = [...Array(900).fill(0), ...Array(90).fill(2), ...Array(10).fill(5)] as number[];
  const sampler = new ClassBalancedSampler({ labels, seed: 0, draws: 9000 });
  const indices = sampler.indices(1);
  t.equal(indices.length, 9000);
  const drawn = new Map<number, number>();
  for (const i of indices) drawn.set(labels[i] as number, (drawn.get(labels[i] as number) ?? 0) + 1);
  for (const label of [0, 2, 5])
    t.ok(Math.abs((drawn.get(label) ?? 0) - 3000) < 250, `class ${label} makes a third`);
  const rare = new Map<number, number>();
  for (const i of indices) if (i >= 990) rare.set(i, (rare.get(i) ?? 0) + 1);
  t.ok(
    [...rare.values()].every((c) => Math.abs(c - 300) < 100) && rare.size === 10,
    'within a class all alike',
  );
  t.equal(indices.join(), new ClassBalancedSampler({ labels, seed: 0, draws: 9000 }).indices(1).join());
  t.not(indices.join(), sampler.indices(2).join());
  t.equal(new ClassBalancedSampler({ labels, seed: 0 }).length, 1000, 'as many draws as samples by default');
});

t.test('weights are N / n of the class', async (t) => {
  t.strictSame([...balancedWeights([0, 0, 0, 1, 7, 7])], [2, 2, 2, 6, 3, 3]);
  t.strictSame([...balancedWeights(Int32Array.of(4))], [1]);
});

t.test('labels and counts of a data set', async (t) => {
  const dataset = (labels: number[]): Dataset => ({
    name: 'three',
    classes: ['a', 'b', 'c'],
    length: labels.length,
    sample: (i) => ({ id: `s${i}`, image: { kind: 'file', path: '/none' }, label: labels[i] as number }),
  });
  t.strictSame([...labelsOf(dataset([2, 0, 2]))], [2, 0, 2]);
  t.strictSame(classCounts(dataset([2, 0, 2])), [1, 0, 2]);
  t.throws(() => classCounts(dataset([0, 3])), { code: 'ERR_DATASET', details: { id: 's1', label: 3 } });
});

t.test('misuse', async (t) => {
  for (const act of [
    () => new SequentialSampler({ length: -1 }),
    () => new ShuffledSampler({ length: 3, seed: 0.5 }),
    () => new ShuffledSampler({ length: 3 } as { length: number; seed: number }),
    () => new ClassBalancedSampler({ labels: [], seed: 0 }),
    () => new ClassBalancedSampler({ labels: [0, -1], seed: 0 }),
    () => new ClassBalancedSampler({ labels: [0, Number.NaN], seed: 0 }),
    () => new ClassBalancedSampler({ labels: [0], seed: 0, draws: 0 }),
    () => balancedWeights([]),
    () => new ShuffledSampler({ length: 3, seed: 0 }).indices(0.5),
    () => new SequentialSampler({ length: 3 }).indices(Number.NaN),
  ])
    t.throws(act, { code: 'ERR_INVALID_ARGUMENT' });
});
