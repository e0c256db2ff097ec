import process from 'node:process';
import { native } from '../native.js';
import type { CheckpointNotes } from './checkpoint.js';
import { processor } from './precision.js';

/** Versions, threads and instruction set: recorded with every checkpoint, because sums depend on them. */
export async function trainingEnvironment(): Promise<CheckpointNotes['environment']> {
  const { libtorch } = native().buildInfo();
  return { node: process.versions.node, libtorch, ...(await processor()) };
}
