import { readFileSync } from 'node:fs';
import { createModel } from '../../lib/models/model.js';
import { memoryStats, randn, tensor } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { createOptimizer } from '../../lib/training/optimizer.js';
import type { Check } from './check.js';

/** Bytes of a mebibyte. */
export const MIB = 1024 * 1024;
/** What the resident size may grow by from the end of the warm-up to the end. */
const ALLOWED = 16 * MIB;

/** Resident bytes of this process, as the system counts them. */
export function residentBytes(): number {
  const [, pages] = readFileSync('/proc/self/statm', 'utf8').split(' ').map(Number) as [number, number];
  return pages * 4096;
}

/**
 * Trains a ResNet-18 on batches of two 32x32 images: as many tensors must live after it as before, and the resident size
 * must stay flat once a fifth of the steps is done.
 *
 * @param steps number of steps
 */
export async function flatFootprint(steps: number, check: Check): Promise<void> {
  const start = memoryStats();
  const model = createModel({ architecture: 'resnet18', classes: 8 });
  const parameters = await model.parameters();
  const optimizer = createOptimizer(parameters, { kind: 'adam', learningRate: 1e-4 });
  const step = (i: number): Promise<number> =>
    tidy(async () => {
      const images = randn([2, 3, 32, 32], i);
      const labels = tensor(BigInt64Array.of(BigInt(i % 8), BigInt((i + 3) % 8)), [2, 1]);
      const loss = model.forward(images).logSoftmax(1).gather(1, labels).mean().neg();
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      return loss.item();
    });

  await step(0);
  const warm = memoryStats();
  let atWarm = 0;
  const from = performance.now();
  for (let i = 1; i <= steps; i++) {
    const loss = await step(i);
    if (!Number.isFinite(loss)) throw new Error(`step ${i}: loss ${loss}`);
    if (i === Math.ceil(steps / 5)) atWarm = residentBytes();
    if (i % Math.ceil(steps / 10) === 0) {
      const perStep = (performance.now() - from) / i;
      console.log(
        `  step ${i}: ${(residentBytes() / MIB).toFixed(1)} MiB resident, ${perStep.toFixed(1)} ms a step`,
      );
    }
  }
  const grown = residentBytes() - atWarm;
  const end = memoryStats();
  check(
    end.liveTensors === warm.liveTensors,
    `live tensors: ${warm.liveTensors} before, ${end.liveTensors} after`,
  );
  check(
    end.hostBytes === warm.hostBytes,
    `bytes of tensors: ${warm.hostBytes} before, ${end.hostBytes} after`,
  );
  check(
    grown <= ALLOWED,
    `resident size from step ${Math.ceil(steps / 5)} to ${steps}: ${(grown / MIB).toFixed(1)} MiB more`,
  );

  for (const parameter of parameters.values()) parameter.dispose();
  optimizer.dispose();
  model.dispose();
  const left = memoryStats().liveTensors - start.liveTensors;
  check(left === 0, `tensors left at the end: ${left}`);
}
