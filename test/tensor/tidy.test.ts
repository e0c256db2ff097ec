import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { createModel } from '../../lib/models/model.js';
import { currentScope } from '../../lib/tensor/context.js';
import { memoryStats, randn, tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { prelude, runScript } from '../support/child.js';
import { failure } from '../support/outcome.js';

const live = (): number => memoryStats().liveTensors;

t.test('sync: frees all but what is returned', async (t) => {
  const before = live();
  const made: Tensor[] = [];
  const kept = tidy(() => {
    const a = tensor([1, 2]);
    const b = a.mul(2);
    made.push(a, b);
    return b.add(1);
  });
  t.strictSame(
    made.map((tensor) => tensor.disposed),
    [true, true],
  );
  t.equal(kept.disposed, false);
  t.strictSame(await kept.data(), Float32Array.of(3, 5), 'jobs already queued still see what was freed');
  kept.dispose();
  t.equal(live(), before);
});

t.test('async: frees all but what is returned', async (t) => {
  const before = live();
  const made: Tensor[] = [];
  const kept = await tidy(async () => {
    const a = tensor([1, 2]);
    made.push(a);
    await sleep(1);
    const b = a.mul(2);
    made.push(b);
    await b.ready();
    return b.add(1);
  });
  t.strictSame(
    made.map((tensor) => tensor.disposed),
    [true, true],
  );
  t.strictSame(await kept.data(), Float32Array.of(3, 5));
  kept.dispose();
  t.equal(live(), before);
});

t.test('tensors are found in what is returned', async (t) => {
  const before = live();
  const result = tidy(() => {
    const one = (value: number): Tensor => tensor([value]).clone();
    const looped: { self?: unknown; tensor: Tensor } = { tensor: one(1) };
    looped.self = looped;
    class Holder {
      hidden = one(9);
    }
    return {
      array: [one(2), [one(3)]],
      map: new Map([['k', { deep: one(4) }]]),
      set: new Set([one(5)]),
      bare: Object.assign(Object.create(null) as object, { tensor: one(6) }),
      holder: new Holder(),
      looped,
      nothing: null,
      text: 'x',
    };
  });
  const [two, [three]] = result.array as [Tensor, [Tensor]];
  const bare = (result.bare as { tensor: Tensor }).tensor;
  const found = [
    result.looped.tensor,
    two,
    three,
    result.map.get('k')?.deep,
    [...result.set][0],
    bare,
  ] as Tensor[];
  t.strictSame(
    found.map((tensor) => tensor.disposed),
    found.map(() => false),
  );
  t.strictSame(await Promise.all(found.map((tensor) => tensor.item())), [1, 2, 3, 4, 5, 6]);
  t.equal(result.holder.hidden.disposed, true, 'instances of classes are not searched');
  for (const tensor of found) tensor.dispose();
  t.equal(live(), before);
});

t.test('nested scopes hand results outwards', async (t) => {
  const before = live();
  let inner: Tensor | undefined;
  const outer = await tidy(async () => {
    const outside = tensor([1]);
    inner = tidy(() => outside.add(1));
    t.equal(inner.disposed, false, 'belongs to the outer scope now');
    const later = await tidy(async () => {
      await sleep(1);
      return [outside, inner?.add(1) as Tensor];
    });
    t.equal(outside.disposed, false, 'what was made outside is not touched by the inner scope');
    return later[1] as Tensor;
  });
  t.equal(inner?.disposed, true);
  t.equal(await outer.item(), 3);
  outer.dispose();
  t.equal(live(), before);
});

t.test("concurrent tasks do not free each other's tensors", async (t) => {
  const before = live();
  const task = (round: number): Promise<number> =>
    tidy(async () => {
      let value = tensor([round], undefined, { dtype: 'float64' });
      for (let i = 0; i < 10; i++) {
        await sleep((round + i) % 3);
        value = tidy(() => value.add(1).mul(1));
        if (i % 4 === 0) value = await tidy(async () => value.add((await value.item()) * 0));
      }
      return value.item();
    });
  const found = await Promise.all(Array.from({ length: 12 }, (_, round) => task(round)));
  t.strictSame(
    found,
    Array.from({ length: 12 }, (_, round) => round + 10),
  );
  t.equal(live(), before);
});

t.test('errors thrown inside', async (t) => {
  const before = live();
  t.throws(
    () =>
      tidy(() => {
        tensor([1]).add(1);
        throw new Error('mine');
      }),
    { message: 'mine' },
  );
  await t.rejects(
    tidy(async () => {
      tensor([1]);
      await sleep(1);
      tensor([1]).add(1);
      throw new Error('mine');
    }),
    { message: 'mine' },
  );
  t.equal(live(), before, 'all freed all the same');
  t.equal(currentScope(), undefined, 'and no scope left open');
});

t.test('an error that nobody awaited is thrown at the end of an async scope', async (t) => {
  const before = live();
  const wrong = (): Tensor => tensor([1, 2]).add(tensor([1, 2, 3]));
  await t.rejects(
    tidy(async () => void wrong()),
    { code: 'ERR_INVALID_SHAPE', message: /add/ },
  );
  await t.rejects(
    tidy(async () => void wrong().backward()),
    { code: 'ERR_INVALID_SHAPE' },
    'of a promise too',
  );
  await t.rejects(
    tidy(async () => {
      tidy(() => void wrong());
      return tensor([1]);
    }),
    { code: 'ERR_INVALID_SHAPE' },
    'of a sync scope inside it',
  );
  await t.rejects(
    tidy(async () => {
      await tidy(async () => {
        tidy(() => void wrong());
      }).catch(() => {
        throw new Error('seen inside');
      });
    }),
    { message: 'seen inside' },
    'the nearest async scope throws it',
  );
  const caught = await tidy(async () => {
    await t.rejects(wrong().ready(), { code: 'ERR_INVALID_SHAPE' });
    return (await failure(wrong().item())).code;
  });
  t.equal(caught, 'ERR_INVALID_SHAPE', 'what was awaited is not thrown again');
  await tidy(async () => {
    const work = wrong().backward();
    await sleep(30);
    await t.rejects(work, { code: 'ERR_INVALID_SHAPE' }, 'awaited late');
  });
  const kept = await tidy(async () => wrong());
  await t.rejects(kept.ready(), { code: 'ERR_INVALID_SHAPE' }, 'returned unread: for the caller to see');
  kept.dispose();
  t.equal(live(), before);
});

t.test('what arrives after the scope has ended is disposed', async (t) => {
  const model = createModel({ architecture: 'resnet18', classes: 2 });
  await model.ready();
  const before = live();
  let late: Promise<Tensor[]> | undefined;
  tidy(() => {
    late = model.state().then((state) => state.map(({ tensor }) => tensor));
  });
  const arrived = (await late) as Tensor[];
  t.ok(arrived.length > 100 && arrived.every((tensor) => tensor.disposed));
  let orphan: Promise<Tensor> | undefined;
  await tidy(async () => {
    orphan = tidy(async () => {
      await sleep(20);
      return tensor([1]);
    });
  });
  t.equal((await orphan)?.disposed, true, 'the result of a scope whose outer scope is over');
  t.equal(live(), before);
  model.dispose();
});

t.test('scopes leave nothing behind', { timeout: 120_000 }, async (t) => {
  // One map entry a scope, were one kept, would show as megabytes.
  const ended = await runScript(
    `${prelude}
    const a = tensor([1]);
    const round = () => tidy(async () => {
      for (let i = 0; i < 50; i++) tidy(() => a.add(1));
      await tidy(async () => a.mul(2));
    });
    const used = async () => { await new Promise(setImmediate); gc(); return process.memoryUsage().heapUsed; };
    for (let i = 0; i < 100; i++) await round();
    const before = await used();
    for (let i = 0; i < 1000; i++) await round();
    console.log('grown', (await used()) - before);`,
    { flags: ['--expose-gc'] },
  );
  const grown = Number(/grown (-?\d+)/.exec(ended.out)?.[1]);
  t.ok(grown < 1_000_000, `51,000 scopes, heap grew by ${grown} bytes`);
});

t.test('memory: a storage is counted once, however many views', async (t) => {
  const before = memoryStats();
  const base = randn([256, 256], 1);
  await base.ready();
  const views = [base.select(0, 1), base.transpose(0, 1), base.reshape([-1]), base.detach()];
  await Promise.all(views.map((view) => view.ready()));
  const with4 = memoryStats();
  t.equal(with4.hostBytes - before.hostBytes, 256 * 256 * 4);
  t.equal(with4.liveTensors - before.liveTensors, 5);
  base.dispose();
  t.equal(memoryStats().hostBytes - before.hostBytes, 256 * 256 * 4, 'a view keeps it');
  for (const view of views) view.dispose();
  const own = tensor([1]);
  await own.ready(); // the lane has let go by now
  own.dispose();
  const probe = tensor([1]);
  await probe.ready();
  t.equal(memoryStats().hostBytes - before.hostBytes, 4);
  probe.dispose();
});
