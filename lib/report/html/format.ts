import type { Interval } from '../../metrics/types.js';

/** What is not defined. */
const missing = '–';

/** A share as a percentage with one decimal. */
export function percent(value: number | null | undefined): string {
  return value === null || value === undefined ? missing : `${(100 * value).toFixed(1)} %`;
}

/** A number with three decimals. */
export function decimal(value: number | null | undefined): string {
  return value === null || value === undefined ? missing : value.toFixed(3);
}

/** A whole number with separators. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? missing : value.toLocaleString('en-US');
}

/** The two ends of an interval of shares. */
export function percentRange(interval: Interval | null | undefined): string | null {
  return interval ? `${(100 * interval.low).toFixed(1)} – ${(100 * interval.high).toFixed(1)}` : null;
}

/** The two ends of an interval of numbers. */
export function decimalRange(interval: Interval | null | undefined): string | null {
  return interval ? `${interval.low.toFixed(3)} – ${interval.high.toFixed(3)}` : null;
}

/** Name of a split as a title: `balanced-test` is `Balanced test`. */
export function splitTitle(split: string): string {
  const words = split.replaceAll(/[-_]+/g, ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
