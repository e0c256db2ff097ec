import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** How close numbers must be. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** One golden case as it lies in its file. */
export interface GoldenCase {
  /** Path of the file, relative to the folder that was searched. */
  readonly file: string;
  /** `<system>/<kind>`. */
  readonly kind: string;
  /** Every option of the case. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Recipes of the inputs. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** What the original gave. */
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Closeness by output. */
  readonly toleranceOf: (output: string) => Tolerance;
}

/** Paths of all `.json` files below a folder, sorted. */
export function findCaseFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .sort();
}

/** Reads a case; throws where the file is none. */
export function readCase(folder: string, file: string): GoldenCase {
  const content = record('the case', JSON.parse(readFileSync(join(folder, file), 'utf8')));
  const kind = content.case;
  if (typeof kind !== 'string' || !/^[^/]+\/.+$/.test(kind))
    throw new Error(`'case' is ${JSON.stringify(kind)}`);
  const tolerance = record('tolerance', content.tolerance);
  const overrides = record('tolerance.outputs', tolerance.outputs ?? {});
  return {
    file,
    kind,
    config: record('config', content.config),
    inputs: record('inputs', content.inputs),
    outputs: record('outputs', content.outputs),
    toleranceOf: (output) => {
      const own = output in overrides ? record(`tolerance.outputs.${output}`, overrides[output]) : {};
      return {
        rtol: number('rtol', own.rtol ?? tolerance.rtol),
        atol: number('atol', own.atol ?? tolerance.atol),
      };
    },
  };
}

/** A plain object, or an error that names it. */
export function record(name: string, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new Error(`${name} is ${JSON.stringify(value)}, not an object`);
}

/** A finite number, or an error that names it. */
export function number(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new Error(`${name} is ${JSON.stringify(value)}, not a number`);
}

/** A list of numbers, or an error that names it. */
export function numbers(name: string, value: unknown): number[] {
  if (!Array.isArray(value)) throw new Error(`${name} is ${JSON.stringify(value)}, not a list`);
  return value.map((item, i) => number(`${name}[${i}]`, item));
}

/** A text, or an error that names it. */
export function string(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new Error(`${name} is ${JSON.stringify(value)}, not a text`);
}

/** A list of texts, or an error that names it. */
export function strings(name: string, value: unknown): string[] {
  if (!Array.isArray(value)) throw new Error(`${name} is ${JSON.stringify(value)}, not a list`);
  return value.map((item, i) => string(`${name}[${i}]`, item));
}

/** `true` or `false`, or an error that names it. */
export function boolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new Error(`${name} is ${JSON.stringify(value)}, not a boolean`);
}

/** One of a list of values, or an error that names it. */
export function choice<T extends string | null>(name: string, value: unknown, allowed: readonly T[]): T {
  if ((allowed as readonly unknown[]).includes(value)) return value as T;
  throw new Error(`${name} is ${JSON.stringify(value)}, none of ${JSON.stringify(allowed)}`);
}
