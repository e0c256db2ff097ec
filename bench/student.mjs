import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { resolvePrecision } from '../dist/lib/training/precision.js';
import { comparePairs } from './support/compare.mjs';
import { Peer } from './support/peer.mjs';
import { Student, writeTask } from './support/student.mjs';

/** What `--help` says. */
export const description =
  "the student's training step (ResNet50, GazeLT's head, LDAM, Adam) beside PyTorch's";

/** @typedef {'ours' | 'original' | 'second-forward'} Way how the peer trains: see bench/peer/student.py */

const needs = 'torch of the same version as LibTorch, and numpy';

/** Relative difference of the first loss that rounding explains; more means that the two sides train different things. */
const tolerance = { float32: 1e-4, bfloat16: 5e-3 };

/**
 * @param {import('./support/compare.mjs').Context} context
 * @returns {AsyncGenerator<import('./support/compare.mjs').Measurement>}
 */
export async function* measure(context) {
  const { quick, threads, log, wants } = context;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cxr-gaze-bench-'));
  /** @type {Omit<import('./support/student.mjs').Task, 'precision' | 'distillation'>} */
  const common = quick
    ? { architecture: 'resnet18', batch: 4, size: 64, threads }
    : { architecture: 'resnet50', batch: 16, size: 224, threads };
  const automatic = await resolvePrecision('auto');
  const file = path.join(folder, 'task.safetensors');
  try {
    await writeTask(file, { ...common, precision: 'float32', distillation: false });
    log(`${common.architecture}, batch ${common.batch}, ${common.size} px, ${threads} threads`);
    for (const { name, way, ...rest } of comparisons(automatic)) {
      if (wants(name)) yield await compareSteps(name, { ...common, ...rest }, way, file, context);
    }
    for (const precision of new Set([automatic, /** @type {const} */ ('float32')])) {
      const name = precision === automatic ? 'student/memory' : `student/memory/${precision}`;
      if (wants(name)) yield await memory(name, { ...common, precision, distillation: false }, file, context);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * @param {'float32' | 'bfloat16'} automatic our default precision here
 * @returns {{ name: string, way: Way, precision: 'float32' | 'bfloat16', distillation: boolean }[]}
 */
function comparisons(automatic) {
  const ours = { way: /** @type {const} */ ('ours'), distillation: false };
  return [
    { name: 'student/equal-precision', ...ours, precision: automatic },
    ...(automatic === 'float32'
      ? []
      : [{ name: 'student/equal-precision/float32', ...ours, precision: /** @type {const} */ ('float32') }]),
    { name: 'student/default-vs-original', way: 'original', distillation: true, precision: automatic },
    {
      name: 'student/default-vs-second-forward',
      way: 'second-forward',
      distillation: false,
      precision: automatic,
    },
  ];
}

/**
 * @param {string} name
 * @param {import('./support/student.mjs').Task} task ours
 * @param {Way} way
 * @param {string} file
 * @param {import('./support/compare.mjs').Context} context
 */
async function compareSteps(name, task, way, file, { python, pairs, quick }) {
  const peer = await Peer.start(python, 'student.py', needs);
  const student = new Student(task);
  try {
    await student.prepare();
    const theirs = way === 'ours' ? task.precision : 'float32';
    await peer.ask({ do: 'prepare', task: { ...task, precision: theirs }, file, way });
    const warm = { ours: await student.steps(2), peer: await peer.ask({ do: 'steps', count: 2 }) };
    // Two forward passes move the running statistics twice; the first loss does not depend on them.
    const same = { ...task, precision: theirs };
    const alike = theirs === task.precision ? warm.ours.losses[0] : await firstLoss(same);
    sameLoss(name, same, alike, warm.peer.losses[0]);
    const count = quick ? 2 : task.precision === 'bfloat16' ? 4 : 2;
    const theirCount = quick ? 2 : theirs === 'bfloat16' ? 4 : 2;
    const processor = { ours: 0, peer: 0 };
    const result = await comparePairs(name, {
      pairs,
      unit: 'ms/step',
      ours: async () => {
        const ours = await student.steps(count);
        processor.ours += ours.processor / pairs;
        return ours.wall;
      },
      peer: async () => {
        const answer = await peer.ask({ do: 'steps', count: theirCount });
        processor.peer += answer.processor / pairs;
        return answer.wall;
      },
    });
    return {
      ...result,
      details: {
        ...result.details,
        precision: task.precision,
        peerPrecision: theirs,
        peerWay: way,
        processorMs: processor,
        firstLoss: { ours: warm.ours.losses[0], peer: warm.peer.losses[0] },
        peer: peer.versions,
      },
    };
  } finally {
    student.dispose();
    await peer.close();
  }
}

/**
 * Fails where the peer's first loss is not ours at its precision.
 *
 * @param {string} name
 * @param {import('./support/student.mjs').Task} task at the peer's precision
 * @param {number} ours
 * @param {number} peer
 */
function sameLoss(name, { precision }, ours, peer) {
  if (Math.abs(ours - peer) <= tolerance[precision] * Math.abs(peer)) return;
  throw new Error(
    `${name}: the two sides do not train the same: the first loss is ${ours} here, ${peer} there`,
  );
}

/** @param {import('./support/student.mjs').Task} task */
async function firstLoss(task) {
  const student = new Student(task);
  try {
    await student.prepare();
    return (await student.steps(1)).losses[0];
  } finally {
    student.dispose();
  }
}

/**
 * Peak resident size above the loaded library, over a few steps, each side in a fresh process.
 *
 * @param {string} name
 * @param {import('./support/student.mjs').Task} task
 * @param {string} file
 * @param {import('./support/compare.mjs').Context} context
 */
async function memory(name, task, file, { python, quick }) {
  const count = quick ? 2 : 5;
  const ours = await ownProcess({ task, steps: count });
  const peer = await Peer.start(python, 'student.py', needs);
  try {
    await peer.ask({ do: 'prepare', task, file, way: 'ours' });
    await peer.ask({ do: 'steps', count });
    const theirs = await peer.ask({ do: 'peak' });
    return {
      name,
      ours: ours.mebibytes,
      peer: theirs.mebibytes,
      unit: 'MiB',
      speedup: theirs.mebibytes / ours.mebibytes,
      pairs: 1,
      details: { precision: task.precision, steps: count },
    };
  } finally {
    await peer.close();
  }
}

/** @param {Record<string, unknown>} request */
async function ownProcess(request) {
  const script = fileURLToPath(new URL('support/student.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(request)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of child.stdout) output += chunk;
  return JSON.parse(output);
}
