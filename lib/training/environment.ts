import process from 'node:process';
import { native } from '../native.js';
import type { CheckpointNotes } from './checkpoint.js';
import { processor } from './precision.js';

/** Versions, threads and instruction set: recorded with every checkpoint, because sums depend on them. */
export async function trainingEnvironment(): Promise<CheckpointNotes['environment']> {
  const { libtorch } = native().buildInfo();
  return { node: process.versions.node, libtorch, ...(await processor()) };
}

/** Sums depend on threads and instruction set: a run that goes on elsewhere is as good, but not the same to the bit. */
export function environmentWarning(
  before: CheckpointNotes['environment'],
  now: CheckpointNotes['environment'],
): string | undefined {
  const changed = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (key) => key !== 'node' && before[key] !== now[key],
  );
  if (changed.length === 0) return undefined;
  const parts = changed.map((key) => `${key}: ${String(before[key])} -> ${String(now[key])}`);
  return `The run began in another environment (${parts.join('; ')}); its numbers will not be those of an unbroken run to the bit`;
}
