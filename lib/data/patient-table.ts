import { CxrGazeError } from '../errors.js';
import { text } from '../validate.js';
import { readCsv } from './csv.js';
import { someOf } from './listed.js';

/** A row of such a table. */
interface PatientRow {
  readonly patient: string;
  readonly row: number;
}

/**
 * Reads a table of patients, columns `image` and `patient`: an image is named by its path below its folder, with `/` between,
 * or by its file name where no other image of the folder has it. Rows of images that are not there are passed over: one table
 * may be of several folders.
 *
 * @internal
 * @param file the table
 * @param images paths below the folder
 * @returns the patient of each image
 * @throws CxrGazeError `ERR_FILE`, `ERR_TABLE` naming file and line; `ERR_DATASET` listing images without a patient
 */
export async function patientsOf(file: string, images: readonly string[]): Promise<string[]> {
  const rows = await readRows(file);
  const nameOf = (image: string) => image.slice(image.lastIndexOf('/') + 1);
  const owners = new Map<string, number>();
  for (const image of images) owners.set(nameOf(image), (owners.get(nameOf(image)) ?? 0) + 1);
  const missing: string[] = [];
  const patients = images.map((image) => {
    const named = rows.of.get(image);
    const byName = rows.of.get(nameOf(image));
    if (named !== undefined) {
      if (byName !== undefined && owners.get(nameOf(image)) === 1) rows.refuseOther(image, named, byName);
      return named.patient;
    }
    if (byName === undefined) {
      missing.push(image);
      return '';
    }
    const count = owners.get(nameOf(image)) as number;
    if (count > 1)
      throw rows.error(
        byName.row,
        `${count} images are called ${nameOf(image)}: expected paths such as ${image}`,
      );
    return byName.patient;
  });
  if (missing.length === 0) return patients;
  throw new CxrGazeError(
    'ERR_DATASET',
    `${file}: ${missing.length} of ${images.length} images have no patient: ${someOf(missing)}`,
    { details: { file, missing } },
  );
}

async function readRows(file: string) {
  const table = await readCsv(text('options.patients', file));
  const [image, patient] = [table.column('image'), table.column('patient')];
  const of = new Map<string, PatientRow>();
  /** Two rows of one image that name two patients. */
  const refuseOther = (name: string, one: PatientRow, two: PatientRow) => {
    if (one.patient === two.patient) return;
    const [first, second] = one.row < two.row ? [one, two] : [two, one];
    throw table.error(
      second.row,
      patient,
      `${name} is of patient ${first.patient} on line ${table.line(first.row)}, here of ${second.patient}`,
    );
  };
  for (let row = 0; row < table.length; row++) {
    const name = table.cell(row, image).trim();
    const own = table.cell(row, patient).trim();
    if (name === '') throw table.error(row, image, 'expected the name of an image but found an empty cell');
    if (own === '') throw table.error(row, patient, `expected a patient for ${name} but found an empty cell`);
    const other = of.get(name);
    const here = { patient: own, row };
    if (other !== undefined) refuseOther(name, other, here);
    of.set(name, here);
  }
  return { of, refuseOther, error: (row: number, problem: string) => table.error(row, image, problem) };
}
