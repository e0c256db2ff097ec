import fc from 'fast-check';
import t from 'tap';
import { argsort } from '../../lib/metrics/argsort.js';

const options = { noNaN: true, noDefaultInfinity: true };

for (const [name, array, make] of [
  ['Float32Array', fc.array(fc.float(options)), Float32Array],
  ['Float64Array', fc.array(fc.double(options)), Float64Array],
] as const) {
  t.test(`${name}: ascending, a permutation, stable`, async () => {
    fc.assert(
      fc.property(array, fc.integer({ min: 1, max: 4 }), (numbers, repeats) => {
        const values = make.from(Array(repeats).fill(numbers).flat() as number[]);
        const expected = Array.from(values, (_, i) => i).sort(
          (a, b) => (values[a] as number) - (values[b] as number) || a - b,
        );
        return JSON.stringify(Array.from(argsort(values))) === JSON.stringify(expected);
      }),
      { numRuns: 300 },
    );
  });
}

t.test('zero of either sign is one value, and denormals keep their order', async (t) => {
  t.strictSame(Array.from(argsort(Float64Array.of(0, -0, 5e-324, -5e-324, -0, 0))), [3, 0, 1, 4, 5, 2]);
  t.strictSame(Array.from(argsort(Float32Array.of(1e-45, -0, 0, -1e-45))), [3, 1, 2, 0]);
});

t.test('an empty array has an empty order', async (t) => {
  t.strictSame(Array.from(argsort(new Float32Array(0))), []);
});
