import { type CellPlace, cellError } from '../data/csv.js';
import { CxrGazeError } from '../errors.js';

/** Longest id: with prefix and extension it still is a file name everywhere. */
const maxLength = 200;

/** Why a text cannot be the name of a recording or film, if so: it becomes part of file names. */
function faultOf(id: string): string | undefined {
  if (id.trim() === '') return 'is empty';
  if (/[\\/]/.test(id)) return 'holds a path separator';
  if (id === '.' || id.includes('..')) return "is '.' or holds '..'";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in a file name
  if (/[\0-\x1f]/.test(id)) return 'holds a control character';
  return id.length > maxLength ? `is longer than ${maxLength} characters` : undefined;
}

/**
 * An id of a table, refused where it is not a plain name.
 *
 * @param shown whether the message may quote it
 * @throws `ERR_PATH_ESCAPE` with file, line and column
 */
export function checkedId(id: string, place: CellPlace, shown = true): string {
  const fault = faultOf(id);
  if (fault === undefined) return id;
  const what = shown ? `the id ${JSON.stringify(id.slice(0, maxLength))}` : 'the id';
  throw cellError(place, `${what} ${fault}; it has to be a plain name`, {}, 'ERR_PATH_ESCAPE');
}

/** As {@link checkedId} for files that are no tables; `where` names file and entry. */
export function checkedName(id: string, where: string): string {
  const fault = faultOf(id);
  if (fault === undefined) return id;
  throw new CxrGazeError(
    'ERR_PATH_ESCAPE',
    `${where}: the id ${JSON.stringify(id.slice(0, maxLength))} ${fault}; it has to be a plain name`,
    { details: { id } },
  );
}
