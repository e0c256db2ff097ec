/** Runs benchmarks: see `--help` and bench/README.md. */
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';

const benchmarks = [
  'student',
  'teacher',
  'backbones',
  'loc-attention',
  'cam',
  'data',
  'loop',
  'metrics',
  'heatmaps',
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h' },
    json: { type: 'boolean' },
    quick: { type: 'boolean' },
    pairs: { type: 'string' },
    threads: { type: 'string' },
    only: { type: 'string' },
  },
});

/**
 * @param {string} name
 * @param {string | undefined} given
 * @param {number} fallback
 */
function whole(name, given, fallback) {
  const value = given === undefined ? fallback : Number(given);
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`Expected a whole number above 0 for --${name} but received ${given}`);
  }
  return value;
}

/** @param {string} name */
function load(name) {
  if (!benchmarks.includes(name)) {
    throw new Error(`Expected one of ${benchmarks.join(', ')} but received ${name}`);
  }
  return import(`./${name}.mjs`);
}

async function help() {
  const lines = await Promise.all(
    benchmarks.map(async (name) => `  ${name.padEnd(13)} ${(await load(name)).description}`),
  );
  return `Usage: npm run bench -- [BENCHMARK...] [options]

Benchmarks (default: all):
${lines.join('\n')}

Options:
  --json         one JSON object a line for each measurement, the machine first
  --pairs N      alternating pairs measured, ours and the peer's (default 7; with --quick 1)
  --threads N    threads of computation on both sides (default: all processors)
  --only NAME    only measurements whose name begins with NAME, such as student/memory
  --quick        small and short: shows that everything works, its figures mean nothing

CXR_GAZE_PYTHON names the Python that the peers run in; bench/README.md tells how to set it up.
`;
}

/** @param {import('./support/compare.mjs').Measurement} result */
function sentence({ name, ours, peer, unit, speedup }) {
  const digits = (/** @type {number} */ value) => (value < 10 ? value.toFixed(3) : value.toFixed(1));
  const beside = peer === null ? '' : `, beside ${digits(peer)}`;
  const times = speedup === null ? '' : `: ${speedup.toFixed(2)} times`;
  return `${name}: ${ours === null ? '-' : digits(ours)} ${unit}${beside}${times}`;
}

async function main() {
  const quick = values.quick ?? false;
  const { machine } = await import('./support/machine.mjs');
  const context = {
    python: process.env.CXR_GAZE_PYTHON,
    pairs: whole('pairs', values.pairs, quick ? 1 : 7),
    threads: whole('threads', values.threads, availableParallelism()),
    quick,
    wants: (/** @type {string} */ name) => name.startsWith(values.only ?? ''),
    log: (/** @type {string} */ line) => process.stderr.write(`${line}\n`),
  };
  const about = await machine();
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ name: 'machine', ...about })}\n`
      : `${Object.entries(about)
          .map(([key, value]) => `${key} ${value}`)
          .join(', ')}\n`,
  );
  const chosen = positionals.length > 0 ? positionals : benchmarks;
  const modules = await Promise.all(chosen.map(load)); // a wrong name shows before anything is measured
  for (const [index, { measure }] of modules.entries()) {
    try {
      for await (const result of measure(context)) {
        process.stdout.write(`${values.json ? JSON.stringify(result) : sentence(result)}\n`);
      }
    } catch (error) {
      process.stderr.write(`${chosen[index]}: ${error instanceof Error ? error.message : error}\n`);
      process.exitCode = 1;
    }
  }
}

if (values.help) process.stdout.write(await help());
else await main();
