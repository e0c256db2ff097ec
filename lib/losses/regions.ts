import { readFile } from 'node:fs/promises';
import { fileError } from '../checkpoints/fault.js';
import { scanJson } from '../checkpoints/json-keys.js';
import { decodeText } from '../data/csv-text.js';
import { CxrGazeError } from '../errors.js';
import { didYouMean, list, nearest, oneOf, text } from '../validate.js';

/**
 * Where a disease shows, relative to the box (x, y, w, h) around the lungs. With m = y + h / 2, rounded half to even:
 *
 * - `upper`: rows y to m - 1 of the box (air rises), `lower`: rows m to y + h - 1 (fluid sinks);
 * - `inside`: the box;
 * - `outside`: as published (air under the skin): all but the box's columns from its top to the image's bottom;
 * - `complement`: all but the box;
 * - `whole`: the image.
 */
export type Region = 'upper' | 'lower' | 'inside' | 'outside' | 'complement' | 'whole';

/** All regions. */
export const regions: readonly Region[] = ['upper', 'lower', 'inside', 'outside', 'complement', 'whole'];

/** The region of each class, by class index; `null` for a class that has none, such as No Finding. */
export type RegionTable = readonly (Region | null)[];

/**
 * The published tasks: No Finding against effusion (`ne`), pneumothorax (`np`), subcutaneous emphysema (`ns`), against the
 * first two (`nep`) or all three of them (`neps`).
 */
export type LocalisationTask = 'ne' | 'np' | 'ns' | 'nep' | 'neps';

/** All published tasks. */
export const localisationTasks: readonly LocalisationTask[] = ['ne', 'np', 'ns', 'nep', 'neps'];

const ofTask: Readonly<Record<LocalisationTask, RegionTable>> = {
  ne: [null, 'lower'],
  np: [null, 'upper'],
  ns: [null, 'outside'],
  nep: [null, 'lower', 'upper'],
  neps: [null, 'lower', 'upper', 'outside'],
};

/**
 * The regions of a published task's classes. Wu et al., Data Mining and Knowledge Discovery 40(4):47, 2026;
 * `deeplearninglab21/cxr-loc-attention: scripts/model_loss_attent.py`.
 *
 * @param task which one
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function regionTable(task: LocalisationTask): RegionTable {
  return ofTask[oneOf('task', task, localisationTasks)];
}

/**
 * Reads a table of one's own: a JSON object `{ "class": "region" }`, where `null` stands for a class without a place.
 *
 * @param file path of the file
 * @param classes names by class index; each must be in the file, and nothing else
 * @returns the regions by class index
 * @throws CxrGazeError `ERR_FILE`; `ERR_TABLE` naming the class that has no region, or the region that is none
 */
export async function readRegionTable(file: string, classes: readonly string[]): Promise<RegionTable> {
  text('file', file);
  list('classes', classes, text);
  const content = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw fileError(file, 'could not be read', cause);
  });
  const table = parse(file, decodeText(content, file));
  const unknown = [...table.keys()].find((name) => !classes.includes(name));
  if (unknown !== undefined) throw malformed(file, `'${unknown}' is no class${offer(unknown, classes)}`);
  return classes.map((name) => {
    const region = table.get(name);
    if (region === undefined)
      throw malformed(file, `the class '${name}' has no region; give it one, or null for none`);
    return region;
  });
}

function parse(file: string, content: string): Map<string, Region | null> {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw malformed(file, `it is no JSON: ${(cause as Error).message}`, cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(file, 'expected an object { "class": "region" }');
  const twice = scanJson(content, 1);
  if (twice?.key !== undefined) throw malformed(file, `the class '${twice.key}' stands there twice`);
  return new Map(Object.entries(value).map(([name, region]) => [name, regionOf(file, name, region)]));
}

function regionOf(file: string, name: string, region: unknown): Region | null {
  if (region === null) return null;
  const found = regions.find((known) => known === region);
  if (found !== undefined) return found;
  const near = typeof region === 'string' ? offer(region, regions) : '';
  throw malformed(
    file,
    `expected one of ${regions.join(', ')} or null for '${name}' but found ${JSON.stringify(region)}${near}`,
  );
}

function offer(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near === undefined ? '' : didYouMean(near);
}

function malformed(file: string, problem: string, cause?: unknown): CxrGazeError {
  return new CxrGazeError('ERR_TABLE', `${file}: ${problem}`, {
    ...(cause === undefined ? {} : { cause }),
    details: { file },
  });
}
