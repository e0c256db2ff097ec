/** Every public function, given what is no argument of its kind: an error of this package, never one of the language. */
import t from 'tap';
import { CxrGazeError } from '../../lib/errors.js';
import * as library from '../../lib/index.js';

// What a file or a JSON document might hand on where something else was meant.
const strangers = [undefined, null, 3, Number.NaN, true, {}, [], [null], { options: 1 }] as const;

/** Classes whose constructors are the user's; of the others the library makes the objects. */
const constructed = [
  ...[
    'CheckpointStore',
    'ClassBalancedSampler',
    'DataLoader',
    'EpochSchedule',
    'ImageTable',
    'ImagesOnDemand',
    'PlateauSchedule',
  ],
  ...['SequentialSampler', 'ShuffledSampler', 'Trainer'],
];

/** What became of a call: an error that is none of ours, or nothing worth telling. */
async function foreign(call: () => unknown): Promise<unknown> {
  try {
    const given = await call();
    if (given instanceof library.Tensor) await given.ready();
    return undefined;
  } catch (error) {
    return error instanceof CxrGazeError ? undefined : error;
  }
}

const before = { compute: (await library.threads()).threads, data: library.dataThreads() };

for (const [name, value] of Object.entries(library)) {
  if (typeof value !== 'function' || value === CxrGazeError) continue;
  const isClass = /^class\b/.test(Function.prototype.toString.call(value));
  if (isClass && !constructed.includes(name)) continue;
  const call = (args: unknown[]): unknown =>
    isClass ? Reflect.construct(value, args) : Reflect.apply(value as () => unknown, undefined, args);
  t.test(name, async (t) => {
    for (const first of strangers) {
      for (const args of [[first], [first, first], [first, first, first]]) {
        await library.tidy(async () => {
          const error = await foreign(() => call(args));
          if (error !== undefined)
            t.fail(`${name}(${args.map((one) => JSON.stringify(one) ?? 'undefined').join(', ')}): ${error}`);
        });
      }
    }
    t.pass('only errors of this package');
  });
}

t.teardown(async () => {
  library.dataThreads(before.data);
  await library.threads(before.compute);
});
