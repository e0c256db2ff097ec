import t from 'tap';
import {
  balancedClassWeights,
  classBalancedWeights,
  classWeights,
  ldamMargins,
} from '../../lib/losses/class-weights.js';

const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.abs(b);

t.test('balanced weights give every class the same total', async (t) => {
  const counts = [90, 9, 1];
  const weights = balancedClassWeights(counts);
  t.ok(weights instanceof Float32Array);
  for (const [j, count] of counts.entries()) {
    t.ok(close((weights[j] as number) * count, 100 / 3), `class ${j}`);
  }
  t.same(classWeights({ counts, method: 'balanced' }), weights);
});

t.test('class-balanced weights go from ones to inverse frequency with beta', async (t) => {
  const counts = [1000, 100, 10];
  t.same(Array.from(classBalancedWeights(counts, 0)), [1, 1, 1]);
  const inverse = balancedClassWeights(counts);
  const almost = classBalancedWeights(counts, 1 - 1e-9);
  const ratio = (w: Float32Array): number => (w[2] as number) / (w[0] as number);
  t.ok(
    Math.abs(ratio(almost) - ratio(inverse)) < 1e-3,
    'near 1 they are inversely proportional to the counts',
  );
  t.ok(
    close(
      classBalancedWeights(counts).reduce((a, b) => a + b),
      3,
    ),
    'they add up to the number of classes',
  );
  t.same(classWeights({ counts, method: 'class-balanced', beta: 0.99 }), classBalancedWeights(counts, 0.99));
});

t.test('margins fall with the fourth root of the count', async (t) => {
  const margins = ldamMargins({ counts: [10000, 16, 1] });
  t.same(Array.from(margins), [0.05, 0.25, 0.5].map(Math.fround));
  t.equal(
    ldamMargins({ counts: [5, 50], maxMargin: 0.3 })[0],
    Math.fround(0.3),
    'the rarest gets the widest',
  );
});

t.test('an empty class is named', async (t) => {
  const code = 'ERR_INVALID_ARGUMENT';
  const classes = ['No Finding', 'Mass', 'Hernia'];
  for (const method of ['balanced', 'class-balanced'] as const) {
    t.throws(() => classWeights({ counts: [5, 3, 0], method, classes }), { code, message: /'Hernia' \(2\)/ });
    t.throws(() => classWeights({ counts: [5, 0, 3], method }), { code, message: /class 1 / });
  }
  t.throws(() => ldamMargins({ counts: [0, 3, 3], classes }), { code, message: /'No Finding' \(0\)/ });
});

t.test('refuses what is no list of counts', async (t) => {
  const code = 'ERR_INVALID_ARGUMENT';
  t.throws(() => balancedClassWeights([]), { code });
  t.throws(() => balancedClassWeights([1.5, 2]), { code, message: /counts\[0\]/ });
  t.throws(() => balancedClassWeights([-1, 2]), { code, message: /counts\[0\]/ });
  t.throws(() => balancedClassWeights([1, 2], ['a']), { code, message: /2 names/ });
  t.throws(() => classBalancedWeights([1, 2], 1), { code, message: /beta/ });
  t.throws(() => classBalancedWeights([1, 2], Number.NaN), { code, message: /beta/ });
  t.throws(() => classWeights({ counts: [1, 2], method: 'cb' as 'balanced' }), { code, message: /method/ });
  t.throws(() => classWeights({ counts: [1, 2], method: 'balanced', bta: 1 } as never), {
    code,
    message: /bta/,
  });
});
