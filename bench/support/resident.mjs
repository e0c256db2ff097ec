import { readFileSync, writeFileSync } from 'node:fs';

/** @param {'VmRSS' | 'VmHWM'} key */
function kibibytes(key) {
  const found = new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'));
  if (!found) throw new Error(`/proc/self/status has no ${key}`);
  return Number(found[1]);
}

/**
 * Peak resident size above the present one, counted from now. Linux only.
 *
 * @returns {() => number} gives MiB
 */
export function residentPeak() {
  writeFileSync('/proc/self/clear_refs', '5'); // the peak is set back to the present size
  const start = kibibytes('VmRSS');
  return () => (kibibytes('VmHWM') - start) / 1024;
}
