import { PythonRandom } from '../../../lib/data/python-random.js';
import { number, numbers, record } from '../case.js';
import type { Kind } from '../kind.js';

function drawn(random: PythonRandom, step: unknown): unknown {
  const [n, k] = numbers('step', step) as [number, number];
  const list = random.sample(
    Array.from({ length: n }, (_, i) => i),
    k,
  );
  if (list.length <= 40) return list;
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  return {
    length: list.length,
    first: list.slice(0, 10),
    last: list.slice(-5),
    sum: sum(list),
    weighted_sum: sum(list.map((value, i) => (i + 1) * value)),
  };
}

/** Draws of CPython's `random.sample`, several on one generator. */
export const pythonSampleKind: Kind = {
  config: [],
  inputs: ['draws'],
  run: ({ inputs }) => {
    if (!Array.isArray(inputs.draws)) throw new Error('inputs.draws is not a list');
    const list = inputs.draws.map((entry) => {
      const { seed, steps } = record('draw', entry);
      if (!Array.isArray(steps)) throw new Error('steps is not a list');
      const random = new PythonRandom(number('seed', seed));
      return steps.map((step) => drawn(random, step));
    });
    return { draws: { list } };
  },
};
