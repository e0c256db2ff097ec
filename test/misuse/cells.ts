import type { Test } from 'tap';
import { CxrGazeError } from '../../lib/errors.js';
import { randn, tensor, zeros } from '../../lib/tensor/create.js';
import { Tensor } from '../../lib/tensor/tensor.js';
import { tidy } from '../../lib/tensor/tidy.js';

/** The kinds of misuse; a cell of the matrix that makes no sense for a method is left out. */
export type Kind = 'disposed' | 'type' | 'shape' | 'dtype' | 'device' | 'NaN' | 'empty';

/** A call that must fail, now or when awaited, with this code. Further cells of a method are further rows. */
export type Cell = readonly [code: string, call: () => unknown];
/** A method with its cells. */
export type Row = readonly [method: string, cells: Partial<Record<Kind, Cell | readonly Cell[]>>];

/** Codes that are expected. */
export const ARGUMENT = 'ERR_INVALID_ARGUMENT';
export const SHAPE = 'ERR_INVALID_SHAPE';
export const DTYPE = 'ERR_INVALID_DTYPE';
export const DEVICE = 'ERR_INVALID_DEVICE';
export const DISPOSED = 'ERR_DISPOSED';
export const STATE = 'ERR_STATE_DICT';

/** Anything, at a place where the types forbid it. */
export const wrong = (value: unknown): never => value as never;
/** No number. */
export const nan = Number.NaN;

/** Operands by what is wrong with them; made in the scope of each test. */
export const x = (): Tensor => randn([2, 3], 1);
export const narrow = (): Tensor => randn([2], 2);
export const ints = (): Tensor => tensor(Int32Array.of(1, 2));
export const index = (): Tensor => tensor(BigInt64Array.of(0n, 1n));
export const empty = (): Tensor => zeros([0, 3]);
export const gone = (): Tensor => {
  const tensor = randn([2, 3], 1);
  tensor.dispose();
  return tensor;
};

/** What a call fails with, whether it throws or gives something that fails when awaited. */
async function outcome(call: () => unknown): Promise<unknown> {
  try {
    const given = await call();
    if (given instanceof Tensor) await given.ready();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** A test for each cell. */
export function runRows(t: Test, subject: string, rows: readonly Row[]): void {
  for (const [method, cells] of rows) {
    for (const [kind, given] of Object.entries(cells)) {
      const list = (typeof given[0] === 'string' ? [given] : given) as readonly Cell[];
      t.test(`${subject}.${method}: ${kind}`, async (t) => {
        for (const [code, call] of list) {
          await tidy(async () => {
            const error = await outcome(call);
            if (!(error instanceof CxrGazeError)) {
              t.fail(`${call}: expected ${code}, got ${error}`);
              return;
            }
            t.equal(error.code, code, `${call}: ${error.message}`);
            t.notMatch(error.message, /frame #|\.cpp|undefined Tensor/, 'a message for people');
          }).catch((error: unknown) => t.fail(`an error was left behind: ${error}`));
        }
      });
    }
  }
}
