import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { full } from '../../../lib/tensor/create.js';
import { tidy } from '../../../lib/tensor/tidy.js';

const skip = process.platform === 'linux' ? false : 'large blocks are kept on Linux only';
const MiB = 2 ** 20;

/** Resident size in MiB. */
function resident(): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(found?.[1]) / 1024;
}

const block = (value: number) => full([16 * MiB], value); // 64 MiB

t.test('memory of freed tensors is used again, with the new values', { skip }, async (t) => {
  await tidy(async () => {
    await block(1).ready();
  });
  const before = resident();
  for (let round = 2; round < 12; round++) {
    await tidy(async () => {
      t.equal(await block(round).sum().item(), round * 16 * MiB);
    });
  }
  t.ok(resident() - before < 96, `grew from ${before} to ${resident()} MiB`);
});

t.test('an idle lane gives the memory back that it keeps', { skip }, async (t) => {
  await tidy(async () => {
    const held = [1, 2, 3, 4].map(block);
    for (const tensor of held) await tensor.ready();
  });
  const busy = resident();
  const deadline = Date.now() + 30_000;
  while (resident() > busy - 200 && Date.now() < deadline) await sleep(100);
  t.ok(resident() < busy - 200, `${busy} MiB just after, ${resident()} MiB later`);
  // It takes up work again as before.
  await tidy(async () => {
    t.equal(await block(3).sum().item(), 48 * MiB);
  });
});

t.test('memory that cannot be had is a coded error', async (t) => {
  await t.rejects(
    tidy(async () => {
      await full([2 ** 45], 1).ready();
    }),
    { code: 'ERR_OUT_OF_MEMORY' },
  );
});
