/** Where on the reading room's screen the films of EGD lay: its `master_sheet.csv`. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type CsvTable, readCsv } from '../data/csv.js';
import { CxrGazeError } from '../errors.js';
import { cellNumber } from './builder.js';
import { checkedId } from './names.js';
import type { FilmSize } from './reading.js';

/** The screen that the films were read on, in pixels. */
export const screen = { width: 1920, height: 1080 } as const;

const masterSheet = 'master_sheet.csv';

/** Part of the screen that a film covered. */
export interface Shown extends FilmSize {
  readonly left: number;
  readonly top: number;
}

/** Whether a folder of EGD tells where on the screen its films lay. @internal */
export async function hasMasterSheet(folder: string): Promise<boolean> {
  return stat(path.join(folder, masterSheet)).then(
    () => true,
    () => false,
  );
}

/** Where on the screen each film lay. */
export async function readMasterSheet(
  folder: string,
  optional: boolean,
): Promise<Map<string, Shown> | undefined> {
  const file = path.join(folder, masterSheet);
  if (!(await hasMasterSheet(folder))) {
    if (optional) return undefined;
    throw new CxrGazeError(
      'ERR_FILE',
      `${file} is not there. It tells where on the screen each film lay; without it the sizes of the films have to be given`,
      { details: { file } },
    );
  }
  const table = await readCsv(file);
  const id = table.column('dicom_id');
  const [left, right, top, bottom] = ['left', 'right', 'top', 'bottom'].map((side) =>
    padding(table, side),
  ) as [number, number, number, number];
  const films = new Map<string, Shown>();
  for (let row = 0; row < table.length; row++) {
    const name = checkedId(table.cell(row, id), { file, line: table.line(row), column: 'dicom_id' }, false);
    if (films.has(name)) throw table.error(row, id, 'the film was given before');
    const pad = (column: number): number => {
      const value = cellNumber(table.cell(row, column));
      if (value >= 0) return value;
      throw table.error(row, column, 'the padding is not a number of at least 0');
    };
    const width = screen.width - pad(left) - pad(right);
    const height = screen.height - pad(top) - pad(bottom);
    if (width <= 0 || height <= 0)
      throw table.error(row, width <= 0 ? left : top, 'the paddings leave no room on the screen');
    films.set(name, { width, height, left: pad(left), top: pad(top) });
  }
  return films;
}

/** The makers' programs know the column under two names. */
function padding(table: CsvTable, side: string): number {
  const short = `image_${side}`;
  return table.column(table.columns.includes(short) ? short : `image_${side}_pad`);
}
