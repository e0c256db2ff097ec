import { resolvePrecision } from '../../dist/lib/training/precision.js';
import { comparePairs } from './compare.mjs';
import { Peer } from './peer.mjs';

/** Relative difference of the first loss that rounding explains; more means that the two sides train different things. */
const tolerance = { float32: 1e-4, bfloat16: 2e-2 };

/**
 * The precisions to measure. Where the processor is not made for bfloat16 a step takes minutes: it is measured only where it
 * is asked for by name.
 *
 * @param {string} benchmark such as `teacher`
 * @param {(precision: 'float32' | 'bfloat16') => string} nameOf the measurement of a precision
 * @param {import('./compare.mjs').Context} context
 */
export async function precisionsOf(benchmark, nameOf, { wants, log }) {
  const fast = (await resolvePrecision('auto')) === 'bfloat16';
  return /** @type {const} */ (['float32', 'bfloat16']).filter((precision) => {
    const name = nameOf(precision);
    if (!wants(name)) return false;
    const unasked = precision === 'bfloat16' && !fast && wants(`${benchmark}/`);
    if (unasked) log(`${name}: left out, the processor is not made for bfloat16; --only ${name} measures it`);
    return !unasked;
  });
}

/**
 * Compares training steps that take seconds, one at a time, after both sides have shown the same first loss.
 *
 * @template {{ threads: number, precision: 'float32' | 'bfloat16' }} Task
 * @param {string} name
 * @param {object} sides
 * @param {import('./training.mjs').TimedTraining & { prepare: () => Promise<void> }} sides.training ours; disposed at the end
 * @param {Task} sides.task
 * @param {string} sides.file weights and batch for the peer
 * @param {string} sides.program the peer's
 * @param {string} sides.needs of the peer's Python, for people
 * @param {import('./compare.mjs').Context} context
 * @returns {Promise<import('./compare.mjs').Measurement>}
 */
export async function compareSteps(name, { training, task, file, program, needs }, { python, pairs }) {
  let peer;
  try {
    peer = await Peer.start(python, program, needs);
    await training.prepare();
    await peer.ask({ do: 'prepare', task, file });
    const ours = (await training.steps(2)).losses[0];
    const theirs = (await peer.ask({ do: 'steps', count: 2 })).losses[0];
    if (!(Math.abs(ours - theirs) <= tolerance[task.precision] * Math.abs(theirs))) {
      throw new Error(
        `${name}: the two sides do not train the same: the first loss is ${ours} here, ${theirs} there`,
      );
    }
    const processor = { ours: 0, peer: 0 };
    // Before each a step that is not counted: memory was given back while the other side ran.
    const result = await comparePairs(name, {
      pairs,
      unit: 'ms/step',
      ours: async () => {
        await training.steps(1);
        const measured = await training.steps(1);
        processor.ours += measured.processor / pairs;
        return measured.wall;
      },
      peer: async () => {
        await peer.ask({ do: 'steps', count: 1 });
        const measured = await peer.ask({ do: 'steps', count: 1 });
        processor.peer += measured.processor / pairs;
        return measured.wall;
      },
    });
    const { threads: _, ...described } = task;
    const details = { ...result.details, ...described, processorMs: processor };
    return { ...result, details: { ...details, firstLoss: { ours, peer: theirs }, peer: peer.versions } };
  } finally {
    training.dispose();
    await peer?.close();
  }
}
