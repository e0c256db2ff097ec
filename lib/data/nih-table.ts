import { createHash } from 'node:crypto';
import { parseCsv } from './csv.js';
import { refuseDuplicates } from './image-table.js';
import { nihImageName, readNihFile } from './nih-file.js';
import type { NihImage } from './nih-tasks.js';

/** SHA-256 of NIH's `Data_Entry_2017_v2020.csv`: 112,120 images. */
export const nihTableHash = 'dc1d2df67fdc1c5a7601d48699cda2b13dc2c4841488b4183dcf04884dbaca11';

/** NIH's table of images and findings. */
export interface NihTable {
  /** The images in the order of the table. */
  readonly images: readonly NihImage[];
  /** SHA-256 of the table's text; {@link nihTableHash} where it is NIH's. */
  readonly sha256: string;
}

/** Larger than this no such table is: NIH's has 8 MiB. */
const mostBytes = 256 << 20;

/**
 * Reads `Data_Entry_2017.csv` or its version of 2020, as NIH gives it or packed by gzip. Its header writes sizes as
 * `OriginalImage[Width,Height]`, which is two columns; only `Image Index` and `Finding Labels` are read.
 *
 * @param file path of the table
 * @throws CxrGazeError `ERR_FILE` if it cannot be read, `ERR_TABLE` naming line and column
 */
export async function readNihTable(file: string): Promise<NihTable> {
  const content = await readNihFile(file, mostBytes);
  const table = await parseCsv(content, file);
  const [name, labels] = [table.column('Image Index'), table.column('Finding Labels')];
  const rows = Array.from({ length: table.length }, (_, row) => row);
  const images = rows.map((row): NihImage => {
    const image = { name: nihImageName(table, row, name), labels: table.cell(row, labels) };
    if (image.labels === '') throw table.error(row, labels, 'the findings are empty');
    return image;
  });
  refuseDuplicates(table, name, rows);
  return { images, sha256: createHash('sha256').update(content).digest('hex') };
}
