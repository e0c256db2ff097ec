import { writeFileAtomic } from '../checkpoints/atomic.js';
import type { Metrics } from '../metrics/types.js';
import { knownKeys, text } from '../validate.js';

/** The content of `metrics.json`. */
export interface MetricsFile {
  /** What the numbers come from: options, precision, device, versions, weights, date. Plain JSON. */
  readonly run: Readonly<Record<string, unknown>>;
  /** Metrics of each evaluated split, by its name. */
  readonly splits: Readonly<Record<string, Metrics>>;
}

/** Writes `metrics.json`, marked with its format and version. */
export async function writeMetricsJson(path: string, file: MetricsFile): Promise<void> {
  text('path', path);
  knownKeys('file', file, ['run', 'splits']);
  const { run, splits } = file;
  const content = { format: 'cxr-gaze/metrics', version: 1, run, splits };
  await writeFileAtomic(path, `${JSON.stringify(content, null, 2)}\n`);
}
