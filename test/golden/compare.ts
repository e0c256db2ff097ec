import { createHash } from 'node:crypto';
import { number, numbers, record, string, strings, type Tolerance } from './case.js';
import { size } from './fill.js';

/** What our code gave for an output that is a tensor. */
export interface Actual {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** An output of ours whose keys have to be those of the case, all of them and in their order. */
export class OrderedEntries {
  readonly entries: readonly (readonly [name: string, value: unknown])[];

  constructor(entries: readonly (readonly [name: string, value: unknown])[]) {
    this.entries = entries;
  }
}

/** Lines of a CSV file of ours: as many as the case gives are compared, the numbers in them as numbers. */
export class CsvRows {
  readonly rows: readonly string[];

  constructor(rows: readonly string[]) {
    this.rows = rows;
  }
}

/** A text of ours: numbers of more than six decimals are compared after rounding to six. */
export class RoundedText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const within = (a: number, b: number, bound: number): boolean => Math.abs(a - b) <= bound;

/** Lists what differs between an output of ours and that of a case; nothing where they agree. */
export function compareOutput(path: string, ours: unknown, theirs: unknown, tolerance: Tolerance): string[] {
  if (ours instanceof OrderedEntries) {
    return compareOutput(path, ours.entries, Object.entries(record(path, theirs)), tolerance);
  }
  if (ours instanceof CsvRows) return compareRows(path, ours.rows, theirs, tolerance);
  if (ours instanceof RoundedText) {
    const wanted = rounded(string(path, record(path, theirs).text)).split('\n');
    return compareOutput(path, rounded(ours.text).split('\n'), wanted, tolerance);
  }
  if (isActual(ours)) return compareTensor(path, ours, record(path, theirs), tolerance);
  if (typeof theirs === 'number') return compareNumber(path, ours, theirs, tolerance);
  if (Array.isArray(theirs)) {
    if (!Array.isArray(ours) || ours.length !== theirs.length) {
      return [`${path}: expected a list of ${theirs.length} but got ${brief(ours)}`];
    }
    return theirs.flatMap((item, i) => compareOutput(`${path}[${i}]`, ours[i], item, tolerance));
  }
  if (typeof theirs === 'object' && theirs !== null) return compareObject(path, ours, theirs, tolerance);
  return ours === theirs ? [] : [`${path}: expected ${brief(theirs)} but got ${brief(ours)}`];
}

function rounded(text: string): string {
  return text.replace(/\d+\.\d{7,}/g, (digits) => Number(digits).toFixed(6));
}

function isActual(value: unknown): value is Actual {
  return typeof value === 'object' && value !== null && 'shape' in value && 'data' in value;
}

function compareNumber(path: string, ours: unknown, theirs: number, { rtol, atol }: Tolerance): string[] {
  const bound = atol + rtol * Math.abs(theirs);
  return typeof ours === 'number' && within(ours, theirs, bound)
    ? []
    : [`${path}: expected ${theirs} but got ${brief(ours)}`];
}

function compareRows(path: string, ours: readonly string[], theirs: unknown, tolerance: Tolerance): string[] {
  return strings(path, theirs).flatMap((row, i) => {
    const cells = (line: string | undefined): unknown[] | undefined =>
      line
        ?.split(',')
        .map((cell) => (Number.isFinite(Number(cell)) && cell.trim() !== '' ? Number(cell) : cell));
    return compareOutput(`${path}[${i}]`, cells(ours[i]), cells(row), tolerance);
  });
}

function compareObject(path: string, ours: unknown, theirs: object, tolerance: Tolerance): string[] {
  const own = typeof ours === 'object' && ours !== null ? (ours as Record<string, unknown>) : {};
  return Object.entries(theirs).flatMap(([key, value]) =>
    key in own
      ? compareOutput(`${path}.${key}`, own[key], value, tolerance)
      : [`${path}.${key}: we have no such output`],
  );
}

// `columns` names what stands in each column, for people.
const tensorKeys = ['shape', 'values', 'sum', 'abs_sum', 'samples', 'columns', 'sha256'];

/** Values and samples by atol + rtol |b|; sums by atol + rtol abs_sum. */
function compareTensor(
  path: string,
  ours: Actual,
  theirs: Record<string, unknown>,
  tolerance: Tolerance,
): string[] {
  const unknown = Object.keys(theirs).find((key) => !tensorKeys.includes(key));
  if (unknown !== undefined) return [`${path}: unknown key '${unknown}' of a tensor output`];
  const shape = numbers(`${path}.shape`, theirs.shape);
  if (shape.join() !== ours.shape.join() || size(shape) !== ours.data.length) {
    return [`${path}: expected shape [${shape}] but got [${ours.shape}] with ${ours.data.length} values`];
  }
  if (theirs.values === undefined && theirs.samples === undefined)
    return [`${path}: neither values nor samples`];
  return [
    ...comparePoints(path, ours, theirs, tolerance),
    ...compareSums(path, ours, theirs, tolerance),
    ...compareHash(path, ours, theirs),
  ];
}

/** Bytes are compared as a whole. */
function compareHash(path: string, ours: Actual, theirs: Record<string, unknown>): string[] {
  if (theirs.sha256 === undefined) return [];
  if (!(ours.data instanceof Uint8Array)) return [`${path}: a hash of what are no bytes`];
  const found = createHash('sha256').update(ours.data).digest('hex');
  return found === theirs.sha256 ? [] : [`${path}.sha256: expected ${theirs.sha256} but got ${found}`];
}

function comparePoints(
  path: string,
  ours: Actual,
  theirs: Record<string, unknown>,
  { rtol, atol }: Tolerance,
): string[] {
  const expected = new Map<number, number>();
  if (theirs.values !== undefined) {
    const values = numbers(`${path}.values`, theirs.values);
    if (values.length !== ours.data.length)
      return [`${path}: ${values.length} values of shape [${ours.shape}]`];
    for (const [i, value] of values.entries()) expected.set(i, value);
  }
  for (const [index, value] of Object.entries(record(`${path}.samples`, theirs.samples ?? {}))) {
    expected.set(Number(index), number(`${path}.samples.${index}`, value));
  }
  const wrong = [...expected].filter(
    ([i, b]) => !within(ours.data[i] as number, b, atol + rtol * Math.abs(b)),
  );
  if (wrong.length === 0) return [];
  const [index, value] = wrong[0] as [number, number];
  const others = wrong.length > 1 ? ` (and ${wrong.length - 1} more of ${expected.size})` : '';
  return [`${path}[${index}]: expected ${value} but got ${ours.data[index]}${others}`];
}

/** The cases give sums to nine digits. */
function written(value: number): number {
  return 5e-9 * Math.abs(value);
}

function compareSums(
  path: string,
  ours: Actual,
  theirs: Record<string, unknown>,
  { rtol, atol }: Tolerance,
): string[] {
  if (theirs.sum === undefined && theirs.abs_sum === undefined) return [];
  const absolute = number(`${path}.abs_sum`, theirs.abs_sum);
  const bound = atol + rtol * absolute;
  let sum = 0;
  let absSum = 0;
  for (let i = 0; i < ours.data.length; i++) {
    sum += ours.data[i] as number;
    absSum += Math.abs(ours.data[i] as number);
  }
  const faults: string[] = [];
  if (!within(absSum, absolute, bound + written(absolute)))
    faults.push(`${path}.abs_sum: expected ${absolute} but got ${absSum}`);
  const expected = theirs.sum === undefined ? sum : number(`${path}.sum`, theirs.sum);
  if (!within(sum, expected, bound + written(expected))) {
    faults.push(`${path}.sum: expected ${theirs.sum} but got ${sum}`);
  }
  return faults;
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
