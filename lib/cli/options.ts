/** How flags are spelt and read: `_` and `-` alike, numbers with their ranges, lists of a fixed length. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CxrGazeError } from '../errors.js';
import type { Init } from '../systems/classifier/initial-weights.js';
import { nearest } from '../validate.js';

/** Spellings of the originals that are other names of a flag. */
const aliases: Readonly<Record<string, string>> = { n_TTA: 'tta', n_tta: 'tta' };

/**
 * Flag names as commander knows them: every `-` within a name becomes `_`, as in the originals. Values, and whatever
 * comes after `--`, stay as they are.
 */
export function normaliseFlags(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((token, i) => {
    if ((end >= 0 && i >= end) || !/^--[A-Za-z]/.test(token)) return token;
    const cut = token.indexOf('=');
    const name = token.slice(2, cut < 0 ? undefined : cut).replaceAll('-', '_');
    return `--${aliases[name] ?? name}${cut < 0 ? '' : token.slice(cut)}`;
  });
}

/** An error for a command line that cannot be meant: the program ends with 2. */
export function usageError(message: string, details: Readonly<Record<string, unknown>> = {}): CxrGazeError {
  return new CxrGazeError('ERR_INVALID_ARGUMENT', message, { details });
}

/** `--weights_key`, beside `--weights`. @param heading group in the help */
export function weightsKeyOption(heading: string = headings.network): Option {
  const help =
    'key of the state dict in the file of --weights, where it is not a usual one such as state_dict';
  return option(heading, '--weights_key <name>', help, asText);
}

/**
 * Initial weights as `--weights`, `--weights_key` and `--rand_init` name them.
 *
 * @param hint which files may be given, for who gave none
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for weights that are random too, for neither (they are never assumed), and for a
 *   key without a file
 */
export function initialWeights({ weights, weights_key: key, rand_init }: WeightFlags, hint: string): Init {
  if (weights === undefined) refuseWeightsKey(key);
  if (weights !== undefined && rand_init) throw usageError('--weights and --rand_init exclude each other');
  if (weights !== undefined) return { weights, ...(key === undefined ? {} : { key }) };
  if (rand_init) return 'random';
  throw usageError(`Expected --weights FILE or --rand_init: initial weights are never assumed. ${hint}`);
}

/** @throws CxrGazeError `ERR_INVALID_ARGUMENT` for a `--weights_key` where there is no `--weights` */
export function refuseWeightsKey(key: string | undefined): void {
  if (key !== undefined) throw usageError('--weights_key is without effect without --weights');
}

/** Flags that say where initial weights come from. */
export interface WeightFlags {
  readonly weights?: string;
  readonly weights_key?: string;
  readonly rand_init?: boolean;
}

/** Under which `--help` lists the flags that several commands have; a command's own groups are its own. */
export const headings = {
  data: 'Data:',
  output: 'Output:',
  network: 'Network:',
  training: 'Training:',
  evaluation: 'Evaluation:',
  machine: 'Machine:',
} as const;

interface Bounds {
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
}

function bounds({ min, max, above }: Bounds): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (above !== undefined) return ` above ${above}${max === undefined ? '' : `, at most ${max}`}`;
  return min === undefined ? '' : ` of at least ${min}`;
}

function inBounds(value: number, { min, max, above }: Bounds): boolean {
  const low = min === undefined || value >= min;
  return low && (max === undefined || value <= max) && (above === undefined || value > above);
}

/** Reads a number. */
export function asNumber(range: Bounds = {}): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isFinite(value) && inBounds(value, range)) return value;
    throw new InvalidArgumentError(`Expected a number${bounds(range)}.`);
  };
}

/** Reads a whole number. */
export function asInteger(range: Bounds = {}): (text: string) => number {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && inBounds(value, range)) return value;
    throw new InvalidArgumentError(`Expected a whole number${bounds(range)}.`);
  };
}

/** Reads numbers with commas between. */
export function asNumbers(least: number, most: number): (text: string) => number[] {
  return (text) => {
    const numbers = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
    if (
      numbers.length >= least &&
      numbers.length <= most &&
      numbers.every((n) => Number.isFinite(n) && n >= 0)
    )
      return numbers;
    const many = least === most ? `${least}` : `${least} to ${most}`;
    throw new InvalidArgumentError(`Expected ${many} numbers of at least 0 with commas between.`);
  };
}

/** Reads a text that is not empty. */
export function asText(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('Expected a text that is not empty.');
}

/** Reads texts with commas between. */
export function asTexts(text: string): string[] {
  return text.split(',').map(asText);
}

/** Reads one of several words; a misspelt one is answered with the nearest. */
export function asChoice<T extends string>(words: readonly T[]): (text: string) => T {
  return (text) => {
    if ((words as readonly string[]).includes(text)) return text as T;
    const near = nearest(text, words);
    const listed = words.map((word) => (word === '' ? "''" : word)).join(', ');
    throw new InvalidArgumentError(`Expected one of ${listed}.${near ? ` Did you mean '${near}'?` : ''}`);
  };
}

/** Collects the values of a flag that may be given several times. */
export function collect<T>(
  read: (text: string) => T,
): (text: string, before: readonly T[] | undefined) => T[] {
  return (text, before = []) => [...before, read(text)];
}

/** What a device may be called. */
export function asDevice(text: string): string {
  if (/^(cpu|cuda(:\d+)?)$/.test(text)) return text;
  throw new InvalidArgumentError("Expected 'cpu', 'cuda' or 'cuda:N'.");
}

/**
 * A flag with its default and reader, under a heading of `--help`.
 *
 * @param heading group in the help
 * @param flags as commander writes them
 * @param help one line
 * @param read turns text into the value; none for switches
 * @param fallback value where the flag is not given; shown in the help
 */
export function option<T>(
  heading: string,
  flags: string,
  help: string,
  read?: (text: string, before: T | undefined) => T,
  fallback?: T,
): Option {
  const made = new Option(flags, help).helpGroup(heading);
  if (read) made.argParser(read);
  if (fallback !== undefined) made.default(fallback);
  return made;
}

/** Names of the flags that a command was given, rather than left at their defaults. */
export function explicitFlags(command: Command): Set<string> {
  const names = command.options.map((one) => one.attributeName());
  return new Set(names.filter((name) => command.getOptionValueSource(name) === 'cli'));
}
