import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { fileError } from '../checkpoints/fault.js';
import { text } from '../validate.js';
import type { CsvTable } from './csv.js';

/**
 * The content of a table of NIH's, as NIH gives it or packed by gzip.
 *
 * @param file path of the table
 * @param mostBytes larger than this no such table is, unpacked
 * @throws CxrGazeError `ERR_FILE` if it cannot be read
 */
export async function readNihFile(file: string, mostBytes: number): Promise<Uint8Array> {
  text('file', file);
  try {
    const bytes = await readFile(file);
    const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
    return isPacked ? await promisify(gunzip)(bytes, { maxOutputLength: mostBytes }) : bytes;
  } catch (cause) {
    throw fileError(file, 'could not be read', cause);
  }
}

/**
 * The cell of a row that names its image.
 *
 * @throws CxrGazeError `ERR_TABLE` for a path, or a name without extension
 */
export function nihImageName(table: CsvTable, row: number, column: number): string {
  const name = table.cell(row, column);
  if (/^[^/\\\0]+\.[A-Za-z]+$/.test(name)) return name;
  throw table.error(row, column, `expected the name of an image file but found ${JSON.stringify(name)}`);
}
