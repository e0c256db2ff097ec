import {
  type LocalisationTask,
  localisationTasks,
  type Region,
  type RegionTable,
  regions as regionNames,
  regionTable,
} from '../../losses/regions.js';
import { invalidArgument, knownKeys, list, oneOf } from '../../validate.js';
import type { AttentionForm } from './settings.js';

/** Where the disease of each class shows: a published task, regions by class name, or by class index. */
export type RegionChoice = LocalisationTask | RegionTable | Readonly<Record<string, Region | null>>;

/**
 * The regions by class index.
 *
 * @param given as the user gives them
 * @param classes names in label order
 * @param attention without an attention term none are needed
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` naming the class without a region
 * @internal
 */
export function regionsOf(
  given: RegionChoice | undefined,
  classes: readonly string[],
  attention: AttentionForm,
): RegionTable | null {
  const name = 'options.regions';
  if (attention === 'none') {
    if (given === undefined) return null;
    throw invalidArgument(name, "none with options.attention 'none'", given);
  }
  const table = tableOf(name, given, classes);
  if (table.length !== classes.length)
    throw invalidArgument(name, `${classes.length} regions, one for each of ${classes.join(', ')},`, given);
  if (table.some((region) => region !== null)) return table;
  throw invalidArgument(name, 'a region for at least one class', given);
}

function tableOf(name: string, given: RegionChoice | undefined, classes: readonly string[]): RegionTable {
  if (given === undefined)
    throw invalidArgument(name, `one of ${localisationTasks.join(', ')}, or the region of each class`, given);
  if (typeof given === 'string') return regionTable(oneOf(name, given, localisationTasks));
  const checked = (at: string, region: unknown) => (region === null ? null : oneOf(at, region, regionNames));
  if (Array.isArray(given)) return list(name, given, checked);
  const byName = given as Readonly<Record<string, Region | null>>;
  knownKeys(name, byName, classes);
  return classes.map((one) => {
    const region = byName[one];
    if (region === undefined)
      throw invalidArgument(
        `${name}['${one}']`,
        `one of ${regionNames.join(', ')}, or null for none`,
        region,
      );
    return checked(`${name}['${one}']`, region);
  });
}
