import { Draw } from './draw.js';

/**
 * Films are dealt to patients in blocks of eight: within a block one patient may have several films in a row. So a
 * film's patient follows from its index alone, and sets that begin and end at a block share no patient.
 */
export const patientBlock = 8;

/** How eight films may be shared out, as numbers of films a patient. */
const deals: readonly (readonly number[])[] = [
  [1, 1, 1, 1, 1, 1, 1, 1],
  [2, 1, 1, 1, 1, 1, 1],
  [3, 1, 2, 1, 1],
  [1, 2, 1, 1, 2, 1],
  [1, 4, 1, 1, 1],
  [2, 1, 1, 3, 1],
];

/**
 * @param index number of the film
 * @param seed of the set
 * @returns number of its patient; different blocks have different patients
 */
export function patientOf(index: number, seed: number): number {
  const block = Math.floor(index / patientBlock);
  const deal = new Draw(seed, 'deal', block).pick(deals);
  let place = index % patientBlock;
  let patient = 0;
  for (const films of deal) {
    if (place < films) break;
    place -= films;
    patient++;
  }
  return block * patientBlock + patient;
}
