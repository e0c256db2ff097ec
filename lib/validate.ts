import { CxrGazeError } from './errors.js';

/** How a value looks in an error message: short, quoted, with its type. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'undefined';
  if (typeof value === 'string')
    return `${JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)} (string)`;
  if (typeof value === 'function') return `${value.name || 'anonymous'} (function)`;
  if (typeof value !== 'object') return `${String(value)} (${typeof value})`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return `an object of class ${value.constructor?.name ?? 'Object'}`;
}

/** The error that every failed check throws. `Expected X for NAME but received VALUE (TYPE)`. */
export function invalidArgument(name: string, expected: string, received: unknown): CxrGazeError {
  return new CxrGazeError(
    'ERR_INVALID_ARGUMENT',
    `Expected ${expected} for ${name} but received ${describe(received)}`,
    {
      details: { argument: name, expected, received: describe(received) },
    },
  );
}

/** Bounds of a numeric option, both included unless `above` or `below` is used for an open end. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
  readonly below?: number;
}

function inRange(value: number, { min, max, above, below }: Range): boolean {
  return (
    (min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below)
  );
}

function rangeText({ min, max, above, below }: Range): string {
  const parts = [];
  if (above !== undefined) parts.push(`above ${above}`);
  if (min !== undefined) parts.push(`at least ${min}`);
  if (max !== undefined) parts.push(`at most ${max}`);
  if (below !== undefined) parts.push(`below ${below}`);
  return parts.length > 0 ? ` ${parts.join(' and ')}` : '';
}

/** A finite number within bounds. */
export function number(name: string, value: unknown, range: Range = {}): number {
  if (typeof value === 'number' && Number.isFinite(value) && inRange(value, range)) return value;
  throw invalidArgument(name, `a finite number${rangeText(range)}`, value);
}

/** An integer within bounds. */
export function integer(name: string, value: unknown, range: Range = {}): number {
  if (Number.isSafeInteger(value) && inRange(value as number, range)) return value as number;
  throw invalidArgument(name, `an integer${rangeText(range)}`, value);
}

/** A non-empty string. */
export function text(name: string, value: unknown): string {
  if (typeof value === 'string' && value.length > 0) return value;
  throw invalidArgument(name, 'a non-empty string', value);
}

/** `true` or `false`. */
export function flag(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalidArgument(name, 'a boolean', value);
}

/** An object, whatever its class, or an array. */
export function object<T extends object>(name: string, value: T): T {
  if (typeof value === 'object' && value !== null) return value;
  throw invalidArgument(name, 'an object', value);
}

/** An object with members by name, as JSON has them: no array. */
export function record(name: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw invalidArgument(name, 'an object', value);
}

/** A function. */
export function callable<T>(name: string, value: T): T {
  if (typeof value === 'function') return value;
  throw invalidArgument(name, 'a function', value);
}

/** A function, where one is given. */
export function callback(name: string, value: unknown): void {
  if (value !== undefined) callable(name, value);
}

/** An `AbortSignal`, where one is given. */
export function checkSignal(name: string, value: unknown): void {
  if (value !== undefined && !(value instanceof AbortSignal))
    throw invalidArgument(name, 'an AbortSignal', value);
}

/** One of a list of strings. */
export function oneOf<T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  if (typeof value === 'string' && (allowed as readonly string[]).includes(value)) return value as T;
  const names = allowed.map((one) => `'${one}'`).join(', ');
  if (allowed.length === 1) throw invalidArgument(name, names, value);
  const near = typeof value === 'string' ? nearest(value, allowed) : undefined;
  throw invalidArgument(name, `one of ${names}${near ? ` (nearest: '${near}')` : ''}`, value);
}

/** An array whose items all pass `item(name[i], value[i])`. */
export function list<T>(name: string, value: unknown, item: (name: string, value: unknown) => T): T[] {
  if (!Array.isArray(value)) throw invalidArgument(name, 'an array', value);
  return value.map((entry, index) => item(`${name}[${index}]`, entry));
}

/** Class names: at least so many, each once. */
export function classNames(name: string, value: unknown, atLeast = 1): string[] {
  const names = list(name, value, text);
  if (names.length < atLeast)
    throw invalidArgument(name, atLeast === 1 ? 'at least one class' : `at least ${atLeast} classes`, value);
  const twice = names.findIndex((one, i) => names.indexOf(one) !== i);
  if (twice >= 0)
    throw invalidArgument(`${name}[${twice}]`, 'a name that did not occur before', names[twice]);
  return names;
}

/** Refuses keys of an options object that nobody reads, offering the nearest known one. */
export function knownKeys(name: string, options: object, known: readonly string[]): void {
  object(name, options);
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const hint = near === undefined ? '' : didYouMean(near);
    throw new CxrGazeError('ERR_INVALID_ARGUMENT', `Unknown option ${name}.${key}${hint}`, {
      details: { argument: `${name}.${key}`, known },
    });
  }
}

/** How a sentence ends that something is not known, for another to follow: with the nearest known name, if any is near. */
export function didYouMean(near: string | undefined): string {
  return near === undefined ? '.' : `; did you mean '${near}'?`;
}

/** The known name nearest to a misspelt one by edit distance, if any is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] as number) + 1, (current[j - 1] as number) + 1));
    }
    previous = current;
  }
  return previous[b.length] as number;
}
