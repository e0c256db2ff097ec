import { AsyncLocalStorage } from 'node:async_hooks';
import type { CxrGazeError } from '../errors.js';
import { type CallContext, native, onLost } from '../native.js';
import { callable, knownKeys, oneOf } from '../validate.js';
import type { Tensor } from './tensor.js';

/** An error of work that nobody had awaited when it failed. */
interface LostError {
  readonly error: CxrGazeError;
  /** Whether somebody has awaited the work since. */
  readonly seen: () => boolean;
}

/** A tidy scope: the tensors made in it, and the errors of its work that nobody has seen. */
export class Scope {
  readonly parent: Scope | undefined;
  /**
   * The ids of the scopes around this one and its own, outermost first. Native code keeps it with each failure, so that
   * one reported after the scope's end finds the nearest scope around it that is still open, and nothing has to be
   * remembered here of scopes that have ended.
   */
  readonly path: string;
  readonly tensors = new Set<Tensor>();
  readonly lost: LostError[] = [];
  /** Whether work was queued in it: only then is there anything to wait for at its end. */
  used = false;
  ended = false;

  private static count = 0;
  private static readonly open = new Map<string, Scope>();
  readonly #id: string;

  constructor(parent: Scope | undefined) {
    this.#id = (++Scope.count).toString(36);
    this.parent = parent;
    this.path = parent ? `${parent.path}/${this.#id}` : this.#id;
    Scope.open.set(this.#id, this);
  }

  end(): void {
    this.ended = true;
    Scope.open.delete(this.#id);
    // Work of this scope that is still queued may yet fail, for the scope around it to see.
    if (this.parent && this.used) this.parent.used = true;
  }

  /** The first error of this scope's work that nobody has awaited to this moment. */
  firstLost(): CxrGazeError | undefined {
    return this.lost.find(({ seen }) => !seen())?.error;
  }

  /** The innermost scope of a path that is still open. */
  static find(path: string): Scope | undefined {
    for (const id of path.split('/').reverse()) {
      const scope = Scope.open.get(id);
      if (scope) return scope;
    }
    return undefined;
  }
}

interface AsyncContext {
  readonly scope: Scope | undefined;
  readonly grad: boolean;
  readonly autocast: 'bfloat16' | 'float16' | undefined;
}

const storage = new AsyncLocalStorage<AsyncContext>();
const outermost: AsyncContext = { scope: undefined, grad: true, autocast: undefined };

function current(): AsyncContext {
  return storage.getStore() ?? outermost;
}

let tracing = false;

/**
 * Whether errors tell the JavaScript line that asked for the failed operation, in `details.requestedAt`. Costs a few
 * microseconds a call.
 *
 * @param on default `true`
 */
export function traceCalls(on = true): void {
  tracing = on;
}

/** What native code is told about the call being made. */
export function callContext(): CallContext {
  const { scope, grad, autocast } = current();
  if (scope) scope.used = true;
  const requestedAt = tracing ? new Error('requested here').stack : undefined;
  return { grad, autocast, scope: scope?.path ?? '', requestedAt };
}

/** The scope that owns what is made now: the innermost one that is still open. */
export function currentScope(): Scope | undefined {
  let scope = current().scope;
  while (scope?.ended) scope = scope.parent;
  return scope;
}

/** @internal */
export function withScope<T>(scope: Scope, fn: () => T): T {
  return storage.run({ ...current(), scope }, fn);
}

/** @internal For what is made in the background and handed to its user later: no scope of the moment may own it. */
export function withoutScope<T>(fn: () => T): T {
  return storage.run({ ...current(), scope: undefined }, fn);
}

/**
 * Runs `fn` without recording the autograd graph. Async functions keep the setting across their awaits.
 *
 * @param fn what to run
 * @returns what `fn` returns
 */
export function noGrad<T>(fn: () => T): T {
  return storage.run({ ...current(), grad: false }, callable('fn', fn));
}

/**
 * Runs `fn` with the autograd graph recorded, inside a {@link noGrad}.
 *
 * @param fn what to run
 * @returns what `fn` returns
 */
export function enableGrad<T>(fn: () => T): T {
  return storage.run({ ...current(), grad: true }, callable('fn', fn));
}

/** Options of {@link autocast}. */
export interface AutocastOptions {
  /** The type that convolutions and matrix products run in; `undefined` switches autocast off. */
  readonly dtype: 'bfloat16' | 'float16' | undefined;
}

/**
 * Runs `fn` under automatic mixed precision.
 *
 * @param options the lower precision
 * @param fn what to run
 * @returns what `fn` returns
 */
export function autocast<T>(options: AutocastOptions, fn: () => T): T {
  knownKeys('options', options, ['dtype']);
  const { dtype } = options;
  const checked = dtype === undefined ? undefined : oneOf('dtype', dtype, ['bfloat16', 'float16']);
  return storage.run({ ...current(), autocast: checked }, callable('fn', fn));
}

/** An error that nobody awaited: kept for the end of its scope, or raised as an unhandled rejection. */
export function raiseLost(error: CxrGazeError, path: string, seen: () => boolean = () => false): void {
  const scope = Scope.find(path);
  if (scope) scope.lost.push({ error, seen });
  else void Promise.reject(error);
}

onLost(raiseLost);

/** @internal Waits until everything queued so far has run and its errors have been reported. */
export async function flush(): Promise<void> {
  await native().ask('flush', [], undefined, callContext());
}
