import { callable } from '../validate.js';
import { currentScope, flush, Scope, withScope } from './context.js';
import { disposeAll, Tensor } from './tensor.js';

/**
 * Runs `fn` and frees every tensor made in it, except those in what it returns (tensors in arrays, plain objects and
 * Maps are found). The scope belongs to the async context: concurrent tasks do not free each other's tensors. Parameters
 * and optimizer state belong to no scope.
 *
 * @param fn what to run; may be async
 * @returns what `fn` returns
 * @throws the first error of work in this scope that nobody awaited; for a synchronous `fn`, whose scope ends before
 *   the work does, such an error goes to the scope around it, or is an unhandled rejection where there is none
 */
export function tidy<T>(fn: () => T): T {
  callable('fn', fn);
  const scope = new Scope(currentScope());
  let result: T;
  try {
    result = withScope(scope, fn);
  } catch (error) {
    close(scope, undefined);
    throw error;
  }
  if (result instanceof Promise) return settle(scope, result) as T;
  close(scope, result);
  return result;
}

async function settle<T>(scope: Scope, promise: Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await promise;
  } catch (error) {
    close(scope, undefined);
    throw error;
  }
  release(scope, result);
  if (scope.used) await flush();
  scope.end();
  const lost = scope.firstLost();
  if (lost) {
    disposeAll(tensorsIn(result));
    throw lost;
  }
  return result;
}

function close(scope: Scope, result: unknown): void {
  release(scope, result);
  scope.end();
}

/** Hands the returned tensors to the scope around this one, unless it has ended meanwhile, and disposes the others. */
function release(scope: Scope, result: unknown): void {
  const { parent } = scope;
  const kept = tensorsIn(result);
  const freed: Tensor[] = [];
  for (const tensor of scope.tensors) {
    if (!kept.has(tensor) || parent?.ended) freed.push(tensor);
    else parent?.tensors.add(tensor);
  }
  disposeAll(freed);
  scope.tensors.clear();
}

function tensorsIn(value: unknown, found = new Set<Tensor>(), seen = new Set<object>()): Set<Tensor> {
  if (value instanceof Tensor) return found.add(value);
  if (typeof value !== 'object' || value === null || seen.has(value)) return found;
  seen.add(value);
  if (Array.isArray(value) || value instanceof Set) for (const item of value) tensorsIn(item, found, seen);
  else if (value instanceof Map) for (const item of value.values()) tensorsIn(item, found, seen);
  else if (isPlain(value)) for (const item of Object.values(value)) tensorsIn(item, found, seen);
  return found;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === Object.prototype || prototype === null;
}
