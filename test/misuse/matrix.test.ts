/** Each method with each kind of misuse: an error with the expected code and a message for people, and nothing left behind. */
import t from 'tap';
import { Model } from '../../lib/models/model.js';
import { memoryStats, zeros } from '../../lib/tensor/create.js';
import { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { Optimizer } from '../../lib/training/optimizer.js';
import { prelude, runScript } from '../support/child.js';
import { runRows } from './cells.js';
import { makerRows } from './maker-rows.js';
import { model, modelRows } from './model-rows.js';
import { optimizerRows } from './optimizer-rows.js';
import { tensorRows } from './tensor-rows.js';

runRows(t, 'Tensor', tensorRows);
runRows(t, 'makers', makerRows);
runRows(t, 'Model', modelRows);
runRows(t, 'Optimizer', optimizerRows);

/** Names of everything that a class and those it extends give their objects. */
function methodsOf(prototype: object): string[] {
  if (prototype === Object.prototype) return [];
  return [...Object.getOwnPropertyNames(prototype), ...methodsOf(Object.getPrototypeOf(prototype))];
}

t.test('every public method has a row', async (t) => {
  const inner = ['run', 'runWithTaps', 'ask', 'change'];
  const harmless = ['constructor', 'dispose', 'disposed', 'training', 'dtype', ...inner];
  for (const [subject, rows] of [
    [Tensor, tensorRows],
    [Model, modelRows],
    [Optimizer, optimizerRows],
  ] as const) {
    const named = rows.map(([method]) => method);
    for (const method of methodsOf(subject.prototype)) {
      if (!harmless.includes(method)) t.ok(named.includes(method), `${subject.name}.${method}`);
    }
  }
});

t.test('nothing of it has changed the model or is still alive', async (t) => {
  await model.ready();
  const logits = await tidy(async () => model.forward(zeros([1, 3, 32, 32])).data());
  t.ok(logits.every((value) => Number.isFinite(Number(value))));
  t.equal(model.training, false);
  model.dispose();
  t.equal(memoryStats().liveTensors, 0);
});

t.test(
  'deep recursion, many scopes and huge requests end in errors, not in a crash',
  { timeout: 120_000 },
  async (t) => {
    const ended = await runScript(
      `${prelude}
    const codes = [];
    const note = async (call) => { try { const r = await call(); await r?.ready?.(); codes.push('none'); } catch (e) { codes.push(e.code ?? e.name); } };
    await note(() => full([2 ** 52], 1));
    await note(() => full([2 ** 40, 2 ** 40], 1));
    await note(() => full([1], 1).expand([2 ** 52]).clone());
    await note(() => full(new Array(200).fill(1), 1).sum());
    await note(() => full([1], 1).reshape([2 ** 53]));
    let deep = full([1], 1, { requiresGrad: true });
    for (let i = 0; i < 20000; i++) deep = deep.add(1);
    await note(() => deep.backward());
    deep.dispose();
    console.log(JSON.stringify(codes));`,
    );
    t.strictSame([ended.code, ended.signal], [0, null], ended.err);
    const [huge, product, expanded, axes, beyond, deep] = JSON.parse(ended.out) as string[];
    t.equal(huge, 'ERR_OUT_OF_MEMORY');
    t.match(product, /^ERR_/);
    t.equal(expanded, 'ERR_OUT_OF_MEMORY');
    t.match(axes, /^(none|ERR_\w+)$/);
    t.equal(beyond, 'ERR_INVALID_ARGUMENT');
    t.equal(deep, 'none');
  },
);
