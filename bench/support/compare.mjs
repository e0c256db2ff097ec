/**
 * One measurement, as `--json` prints it.
 *
 * @typedef {object} Measurement
 * @property {string} name such as `student/equal-precision`
 * @property {number | null} ours median of our values
 * @property {number | null} peer median of the peer's, or of the other way that `peerIs` names; `null` without one
 * @property {string} unit of both
 * @property {number | null} speedup how many times faster (or smaller) than the peer we are: median over the pairs
 * @property {number} [pairs] alternating pairs measured
 * @property {Record<string, unknown>} [details] further numbers
 */

/**
 * What a benchmark is given.
 *
 * @typedef {object} Context
 * @property {string | undefined} python the peer's Python
 * @property {number} pairs
 * @property {number} threads of the compute lane and of PyTorch
 * @property {boolean} quick a small run that only shows that everything works
 * @property {(name: string) => boolean} wants whether a measurement is asked for
 * @property {(line: string) => void} log for people, not for programs
 */

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/**
 * Measures two ways in turn, so that both meet the same machine, and compares within each pair.
 *
 * @param {string} name
 * @param {{ pairs: number, unit: string, higherIsBetter?: boolean, ours: () => Promise<number>, peer: () => Promise<number> }} options
 * @returns {Promise<Measurement>}
 */
export async function comparePairs(name, { pairs, unit, higherIsBetter = false, ours, peer }) {
  const values = [];
  for (let pair = 0; pair < pairs; pair++) {
    // Who goes first alternates, so that a drift of the machine's speed favours neither.
    if (pair % 2 === 0) values.push({ ours: await ours(), peer: await peer() });
    else values.push({ peer: await peer(), ours: await ours() });
  }
  const ratios = values.map((value) => (higherIsBetter ? value.ours / value.peer : value.peer / value.ours));
  return {
    name,
    ours: median(values.map((value) => value.ours)),
    peer: median(values.map((value) => value.peer)),
    unit,
    speedup: median(ratios),
    pairs,
    details: { speedups: ratios.map((ratio) => Number(ratio.toFixed(4))) },
  };
}
