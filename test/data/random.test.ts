import fc from 'fast-check';
import t from 'tap';
import { rng } from '../../lib/data/random.js';

const draws = (n: number, draw: () => number): number[] => Array.from({ length: n }, draw);
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const variance = (values: readonly number[]): number => {
  const m = mean(values);
  return mean(values.map((v) => (v - m) ** 2));
};

/** Largest distance between the empirical distribution and `cdf` (Kolmogorov-Smirnov). */
function distance(values: readonly number[], cdf: (x: number) => number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.max(
    ...sorted.map((x, i) => Math.max((i + 1) / sorted.length - cdf(x), cdf(x) - i / sorted.length)),
  );
}
/** Exceeded once in a million samples of n. */
const limit = (n: number): number => 2.7 / Math.sqrt(n);

t.test('a stream depends on its whole key and on nothing else', async (t) => {
  const first = (...key: Parameters<typeof rng>): number => rng(...key).uniform();
  t.equal(first(7, 'augmentation', 3, 12), first(7, 'augmentation', 3, 12));
  const keys: Parameters<typeof rng>[] = [
    [0],
    [1],
    [-1],
    [0, 0],
    [0, '0'],
    [0, 'n0'],
    [0, 1, 2],
    [0, 12],
    [0, 2, 1],
    [0, 'a', 'bc'],
    [0, 'ab', 'c'],
    [0, 'a|s2:bc'],
  ];
  t.equal(new Set(keys.map((key) => first(...key))).size, keys.length, 'twelve keys, twelve streams');
});

t.test('literal values: a change of these would change every run', async (t) => {
  const random = rng(0, 'shuffle', 1);
  t.equal(random.uniform(), 0.6935518965959078);
  t.equal(random.integer(1000), 253);
  t.ok(Math.abs(random.normal() - -0.8764774503733679) < 1e-14);
  t.ok(Math.abs(random.beta(0.2, 0.2) - 0.013224850109802554) < 1e-14);
  t.strictSame([...random.permutation(6)], [4, 0, 3, 5, 2, 1]);
});

t.test('neighbouring keys are not correlated', async (t) => {
  const a = Array.from({ length: 4000 }, (_, i) => rng(0, 'k', i).uniform());
  t.ok(distance(a, (x) => x) < limit(a.length), 'first draws of 4000 streams are uniform');
  const products = a.slice(1).map((x, i) => (x - 0.5) * ((a[i] as number) - 0.5));
  t.ok(Math.abs(mean(products)) < 5 / 12 / Math.sqrt(products.length), 'and neighbours independent');
});

t.test('distributions', async (t) => {
  const n = 20_000;
  const random = rng(3, 'distributions');
  t.ok(
    distance(
      draws(n, () => random.uniform(-2, 4)),
      (x) => (x + 2) / 6,
    ) < limit(n),
    'uniform',
  );
  const normal = draws(n, () => random.normal());
  t.ok(Math.abs(mean(normal)) < 0.035 && Math.abs(variance(normal) - 1) < 0.05, 'normal: moments');
  t.ok(Math.abs(normal.filter((x) => x < -1).length / n - 0.158655) < 0.013, 'normal: share below -1');
  t.ok(
    distance(
      draws(n, () => random.gamma(1)),
      (x) => 1 - Math.exp(-x),
    ) < limit(n),
    'gamma(1) is exponential',
  );
  for (const shape of [0.3, 2.5, 40]) {
    const gamma = draws(n, () => random.gamma(shape));
    t.ok(Math.abs(mean(gamma) / shape - 1) < 5 / Math.sqrt(n * shape), `gamma(${shape}): mean`);
    t.ok(Math.abs(variance(gamma) / shape - 1) < 0.25, `gamma(${shape}): variance`);
  }
});

t.test('Beta(a, b)', async (t) => {
  const n = 20_000;
  const random = rng(4, 'beta');
  // Closed forms: Beta(a, 1) has the cdf x^a, Beta(1, b) 1 - (1 - x)^b, Beta(1/2, 1/2) the arc sine law.
  t.ok(
    distance(
      draws(n, () => random.beta(0.2, 1)),
      (x) => x ** 0.2,
    ) < limit(n),
    'Beta(0.2, 1), as Balanced-MixUp has it',
  );
  t.ok(
    distance(
      draws(n, () => random.beta(3, 1)),
      (x) => x ** 3,
    ) < limit(n),
    'Beta(3, 1), by gamma',
  );
  t.ok(
    distance(
      draws(n, () => random.beta(1, 5)),
      (x) => 1 - (1 - x) ** 5,
    ) < limit(n),
    'Beta(1, 5)',
  );
  t.ok(
    distance(
      draws(n, () => random.beta(0.5, 0.5)),
      (x) => (2 / Math.PI) * Math.asin(Math.sqrt(x)),
    ) < limit(n),
    'Beta(.5, .5)',
  );
  const mixup = draws(n, () => random.beta(0.2, 0.2));
  t.ok(
    Math.abs(mean(mixup) - 0.5) < 0.02 && Math.abs(variance(mixup) - 0.25 / 1.4) < 0.01,
    'Beta(0.2, 0.2): moments',
  );
  for (const [a, b] of [
    [1e-5, 1e-5],
    [1e-6, 2],
    [1e-4, 0.5],
  ] as const) {
    const tiny = draws(500, () => random.beta(a, b));
    t.ok(
      tiny.every((x) => x >= 0 && x <= 1),
      `Beta(${a}, ${b}) stays a number where powers underflow`,
    );
  }
});

t.test('integers and permutations', async (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 500 }), (seed, n) => {
      const random = rng(seed, 'property');
      const value = random.integer(n);
      const order = random.permutation(n);
      return value >= 0 && value < n && [...order].sort((a, b) => a - b).every((v, i) => v === i);
    }),
  );
  const counts = new Map<string, number>();
  const random = rng(1, 'permutations');
  for (let i = 0; i < 6000; i++) {
    const key = random.permutation(3).join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  t.equal(counts.size, 6);
  t.ok(
    [...counts.values()].every((c) => Math.abs(c - 1000) < 160),
    'all six orders of three alike',
  );
  t.strictSame([...rng(0).permutation(0)], []);
});

t.test('misuse', async (t) => {
  const random = rng(0);
  for (const act of [
    () => rng(0.5),
    () => rng(Number.NaN),
    () => rng(0, 1.5),
    () => rng(0, undefined as unknown as number),
    () => random.integer(0),
    () => random.integer(2.5),
    () => random.beta(0, 1),
    () => random.beta(1, Number.NaN),
    () => random.gamma(-1),
    () => random.permutation(-1),
  ])
    t.throws(act, { code: 'ERR_INVALID_ARGUMENT' });
});
