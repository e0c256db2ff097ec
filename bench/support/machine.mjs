import { readFileSync } from 'node:fs';
import os from 'node:os';
import process from 'node:process';
import sharp from 'sharp';
import { native } from '../../dist/lib/native.js';
import { ask } from '../../dist/lib/tensor/run.js';

/** What the measurements were taken on: printed before them. */
export async function machine() {
  const { texts } = await ask('threads', []);
  const { numbers } = await ask('processor', []);
  return {
    processor: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    load: os.loadavg()[0],
    fastBfloat16: numbers[0] === 1,
    instructions: texts[0],
    system: `${os.type()} ${os.release()}`,
    node: process.versions.node,
    libtorch: native().buildInfo().libtorch,
    sharp: sharp.versions.sharp,
    cxrGaze: JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version,
  };
}
