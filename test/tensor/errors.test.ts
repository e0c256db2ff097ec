import t from 'tap';
import { CxrGazeError } from '../../lib/errors.js';
import { traceCalls } from '../../lib/tensor/context.js';
import { full, tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { prelude, runScript } from '../support/child.js';
import { failure } from '../support/outcome.js';
import { tidyTest } from '../support/tensors.js';

tidyTest(t, 'an error flows through all that depends on it', async (t) => {
  const good = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  const bad = good.matmul(tensor([1, 2]));
  const after = bad.add(1).mul(good).sum();
  const first = await failure(bad.ready());
  const last = await failure(after.item());
  t.equal(first.code, 'ERR_INVALID_SHAPE');
  t.equal(last.code, first.code);
  t.equal(last.message, first.message, 'the first cause');
  t.match(last.message, /^matmul: /, 'names the operation');
  t.match(last.message, /float32\[2,3\], float32\[2\]/, 'and the shapes');
  t.equal(last.details['operation'], 'matmul');
  t.notMatch(last.message, /frame #|\.so/, 'no native stack in the message');
  t.match((last as unknown as { nativeStack: string }).nativeStack, /frame #|Exception raised/);
  t.notOk(Object.keys(last).includes('nativeStack'), 'but in a property that is not enumerable');
  t.ok(last instanceof CxrGazeError && last instanceof Error);
  t.strictSame(await good.sum().item(), 21, 'operands are unhurt');
  const poisonedOperand = await failure(good.add(bad).ready());
  t.equal(poisonedOperand.message, first.message, 'as second operand too');
  t.throws(() => bad.shape, { code: 'ERR_INVALID_ARGUMENT' }, 'it has no shape');
});

tidyTest(t, 'a failed in-place operation poisons what it would have written', async (t) => {
  const x = tensor([1, 2]);
  const before = x.add(0);
  x.add_(tensor([1, 2, 3]));
  const error = await failure(x.sum().ready());
  t.equal(error.code, 'ERR_INVALID_SHAPE');
  t.equal(error.details['operation'], 'add_');
  t.strictSame(await before.data(), Float32Array.of(1, 2));
});

tidyTest(t, 'codes tell kinds apart', async (t) => {
  const f = tensor([1, 2]);
  const d = tensor([1, 2], undefined, { dtype: 'float64' });
  const i = tensor(BigInt64Array.of(1n, 2n));
  const cases: [string, () => Tensor][] = [
    ['ERR_INVALID_SHAPE', () => f.add(tensor([1, 2, 3]))],
    ['ERR_INVALID_SHAPE', () => f.reshape([3])],
    ['ERR_INVALID_SHAPE', () => f.sum({ dim: 3 })],
    ['ERR_INVALID_SHAPE', () => f.sum({ dim: [0, 0] })],
    ['ERR_INVALID_SHAPE', () => f.select(0, 5)],
    ['ERR_INVALID_SHAPE', () => f.permute([0, 0])],
    ['ERR_INVALID_SHAPE', () => f.permute([0, 1])],
    ['ERR_INVALID_SHAPE', () => f.topk(3).values],
    ['ERR_INVALID_SHAPE', () => f.gather(0, tensor(BigInt64Array.of(7n)))],
    ['ERR_INVALID_SHAPE', () => f.indexSelect(0, tensor(BigInt64Array.of(-1n)))],
    ['ERR_INVALID_SHAPE', () => f.interpolate([2, 2])],
    ['ERR_INVALID_DTYPE', () => f.matmul(d)],
    ['ERR_INVALID_DTYPE', () => i.mean()],
    ['ERR_INVALID_DTYPE', () => i.softmax(0)],
    ['ERR_INVALID_DTYPE', () => i.std()],
    ['ERR_INVALID_DTYPE', () => f.gather(0, f)],
    ['ERR_INVALID_DTYPE', () => f.maskedFill(f, 0)],
    ['ERR_INVALID_DTYPE', () => f.maskedSelect(f)],
    ['ERR_INVALID_DTYPE', () => f.where(f, f)],
    ['ERR_INVALID_DTYPE', () => f.oneHot(3)],
    ['ERR_INVALID_ARGUMENT', () => i.oneHot(2)],
    ['ERR_OUT_OF_MEMORY', () => full([1 << 30, 1 << 20], 1)],
  ];
  for (const [code, make] of cases) {
    const error = await failure(make().ready());
    t.equal(error.code, code, `${String(make).slice(6)}: ${error.message}`);
  }
});

tidyTest(t, 'with tracing an error tells who asked', async (t) => {
  function theCulprit(): Tensor {
    return tensor([1, 2]).add(tensor([1, 2, 3]));
  }
  t.notOk('requestedAt' in (await failure(theCulprit().ready())).details, 'not by default');
  traceCalls();
  const error = await failure(theCulprit().add(1).ready()).finally(() => traceCalls(false));
  t.match(error.details['requestedAt'], /theCulprit.*errors\.test/s);
  t.notOk('requestedAt' in (await failure(theCulprit().ready())).details, 'and not after it');
});

t.test('outside of every scope', { timeout: 120_000 }, async (t) => {
  const report = "process.on('unhandledRejection', (e) => { console.log('unhandled', e.code, e.message); });";
  const wrong = 'tensor([1, 2]).add(tensor([1, 2, 3]))';
  const run = async (body: string, more = report): Promise<string> =>
    (await runScript(`${prelude}${more}${body}`)).out.trim();
  t.match(
    await run(`${wrong}.backward();`),
    /^unhandled ERR_INVALID_SHAPE add/,
    'work whose promise was dropped',
  );
  t.match(
    await run(`const x = ${wrong}; x.dispose(); await tensor([1]).ready();`),
    /^unhandled ERR_INVALID_SHAPE/,
  );
  t.match(await run(`tidy(() => { ${wrong}; }); await tensor([1]).ready();`), /^unhandled ERR_INVALID_SHAPE/);
  t.equal(await run(`await ${wrong}.backward().catch(() => console.log('caught'));`), 'caught');
  t.equal(
    await run(
      `const x = ${wrong}; await x.ready().catch(() => console.log('caught')); x.dispose(); await tensor([1]).ready();`,
    ),
    'caught',
    'once seen it is not reported again',
  );
  t.equal(
    await run(`await Promise.all([${wrong}.backward()]).catch(() => console.log('caught'));`),
    'caught',
  );
  t.equal(
    await run(`await Promise.allSettled([${wrong}.backward(), tensor([1]).ready()]); console.log('on');`),
    'on',
  );
  const dies = await runScript(
    `${prelude}${wrong}.backward(); setTimeout(() => console.log('not reached'), 20000);`,
  );
  t.strictSame([dies.code, dies.out], [1, ''], 'by default the process ends with 1');
  t.match(dies.err, /ERR_INVALID_SHAPE/);
});
