import { CxrGazeError } from '../errors.js';
import { rng } from './random.js';

/** How {@link drawParts} divides. */
export interface DrawParts {
  /** What belongs together, one key a sample. */
  readonly keys: readonly string[];
  /** Share of the keys in each part but the last, which gets what is left. */
  readonly shares: readonly number[];
  /** Of the draw. */
  readonly seed: number;
  /** What the draw is for: another purpose, another draw of the same seed. */
  readonly purpose: string;
}

/**
 * Divides samples at random; those of one key, such as a patient, stay together.
 *
 * @returns the samples' indices in rising order, a list for each share and one for the rest; any may be empty
 * @internal
 */
export function drawParts({ keys, shares, seed, purpose }: DrawParts): number[][] {
  const byKey = new Map<string, number[]>();
  keys.forEach((key, index) => {
    const known = byKey.get(key);
    if (known) known.push(index);
    else byKey.set(key, [index]);
  });
  const units = [...byKey.values()];
  const order = Array.from(rng(seed, purpose).permutation(units.length));
  const sizes = [...shares.map((share) => Math.round(share * units.length)), units.length];
  return sizes.map((size) =>
    order
      .splice(0, size)
      .flatMap((unit) => units[unit] as number[])
      .sort((a, b) => a - b),
  );
}

/** The key of a sample in {@link DrawParts}: its patient, or the sample itself where that is not known. @internal */
export function patientKey(patient: string | undefined, sample: string): string {
  return patient === undefined ? `sample ${sample}` : `${ofPatient}${patient}`;
}

const ofPatient = 'patient ';

/** The error for too few patients to train on some and validate on others. @internal */
export function tooFewPatients(name: string, keys: readonly string[], validation: number): CxrGazeError {
  const what = keys.every((key) => key.startsWith(ofPatient)) ? 'patients' : 'images of patients unknown';
  const percent = Number((100 * validation).toPrecision(6));
  return new CxrGazeError(
    'ERR_DATASET',
    `${name}: ${new Set(keys).size} ${what} are too few to train on some and validate on ${percent} % of them`,
  );
}
