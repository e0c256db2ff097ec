import { CxrGazeError } from '../errors.js';
import type { GazeTable } from './reading.js';

/**
 * Several gaze data sets as one: the readings of the first, then of the second, and so on; counts are sums. Films that were
 * read in two of them have the readings of both.
 *
 * @internal
 * @param tables at least one
 * @throws CxrGazeError `ERR_DATASET` where two data sets have a reading of one name
 */
export function joinGaze(tables: readonly [GazeTable, ...GazeTable[]]): GazeTable {
  const [first, ...others] = tables;
  if (others.length === 0) return first;
  const owners = new Map<string, string>();
  for (const { name, readings } of tables)
    for (const { id } of readings) {
      const other = owners.get(id);
      if (other !== undefined && other !== name)
        throw new CxrGazeError('ERR_DATASET', `${other} and ${name} both have a reading called ${id}`, {
          details: { id, tables: [other, name] },
        });
      owners.set(id, name);
    }
  const filtered: Record<string, number> = {};
  for (const table of tables)
    for (const [reason, count] of Object.entries(table.filtered))
      filtered[reason] = (filtered[reason] ?? 0) + count;
  const unknownFilms = [...new Set(tables.flatMap((table) => table.unknownFilms ?? []))];
  return {
    name: tables.map(({ name }) => name).join(' and '),
    readings: tables.flatMap(({ readings }) => readings),
    filtered,
    ...(unknownFilms.length > 0 ? { unknownFilms } : {}),
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
  };
}
