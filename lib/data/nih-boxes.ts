import { CxrGazeError } from '../errors.js';
import type { Box } from './box.js';
import { type CsvTable, parseCsv } from './csv.js';
import { decodeText } from './csv-text.js';
import { nihImageName, readNihFile } from './nih-file.js';

/** A finding that a radiologist framed on an image. */
export interface FramedFinding {
  /** The class, spelt as in the label tables: `Infiltration`, where the list of boxes has `Infiltrate`. */
  readonly finding: string;
  /** The frame, in pixels of the image; not rounded. */
  readonly box: Box;
}

/** Framed findings by image. */
export interface FramedFindings {
  /** Frames by the name of the image file, such as `00013118_008.png`. */
  readonly images: ReadonlyMap<string, readonly FramedFinding[]>;
  /** Side of the square images that the frames are in pixels of. */
  readonly size: number;
}

/** NIH's images are squares of this side. */
const nihSize = 1024;

/** Larger than this no such list is: NIH's has 88 KiB. */
const mostBytes = 64 << 20;

/** The header that NIH's file has: one name for four columns, and three columns without names. */
const nihHeader = /^Image Index,Finding Label,Bbox \[x,y,w,h\](,*)$/;

const columns = ['Image Index', 'Finding Label', 'x', 'y', 'w', 'h'] as const;

/**
 * Reads `BBox_List_2017.csv` of NIH ChestX-ray14 (Wang et al. 2017): 984 frames of eight findings on 880 images, as NIH
 * gives it or packed by gzip, in pixels of its 1024 x 1024 images.
 *
 * @param file path of the list
 * @throws CxrGazeError `ERR_FILE` if it cannot be read, `ERR_TABLE` naming line and column
 */
export async function readNihBoxes(file: string): Promise<FramedFindings> {
  const content = decodeText(await readNihFile(file, mostBytes), file);
  const table = await parseCsv(plainTable(content, file), file);
  const [nameAt, findingAt, ...boxAt] = columns.map((name) => table.column(name)) as [number, number];
  const images = new Map<string, FramedFinding[]>();
  for (let row = 0; row < table.length; row++) {
    const name = nihImageName(table, row, nameAt);
    const finding = table.cell(row, findingAt);
    if (finding.trim() === '') throw table.error(row, 'Finding Label', 'the finding is empty');
    const box = boxOf(table, row, boxAt);
    const framed = { finding: finding === 'Infiltrate' ? 'Infiltration' : finding, box };
    images.set(name, [...(images.get(name) ?? []), framed]);
  }
  return { images, size: nihSize };
}

/** The text with six named columns; lines stay where they are. */
function plainTable(content: string, file: string): string {
  const [header = '', ...lines] = content.split(/\r?\n/);
  if (!nihHeader.test(header)) {
    throw new CxrGazeError(
      'ERR_TABLE',
      `${file}, line 1: expected the header 'Image Index,Finding Label,Bbox [x,y,w,h],,,' but found ${JSON.stringify(header.slice(0, 80))}`,
      { details: { file, line: 1 } },
    );
  }
  // Some copies fill the rows up to the nine columns of the header.
  return [columns.join(','), ...lines.map((line) => line.replace(/,+$/, ''))].join('\n');
}

function boxOf(table: CsvTable, row: number, at: readonly number[]): Box {
  const [x, y, width, height] = at.map((column) => {
    const cell = table.cell(row, column).trim();
    const value = cell === '' ? Number.NaN : Number(cell);
    if (Number.isFinite(value) && value >= 0) return value;
    throw table.error(row, column, `expected a number of at least 0 but found ${JSON.stringify(cell)}`);
  }) as [number, number, number, number];
  if (width === 0 || height === 0) throw table.error(row, width === 0 ? 'w' : 'h', 'the frame is empty');
  if (x + width > nihSize || y + height > nihSize)
    throw table.error(row, x + width > nihSize ? 'w' : 'h', `the frame ends beyond ${nihSize} pixels`);
  return { x, y, width, height };
}
