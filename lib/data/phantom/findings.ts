import { cardiomegaly, hernia } from './cardiac.js';
import type { Draw } from './draw.js';
import type { Finding } from './finding.js';
import { consolidation, infiltration, mass } from './parenchyma.js';
import { effusion, pneumoperitoneum, pneumothorax } from './pleura.js';

/**
 * The classes by falling frequency, and each one's share of a long-tailed set. The order and the rough proportions
 * are those of NIH-CXR-LT, with No Finding cut down so that the rare classes are met in small sets too.
 */
const table: readonly { name: string; share: number; make?: (draw: Draw) => Finding }[] = [
  { name: 'No Finding', share: 0.352 },
  { name: 'Infiltration', share: 0.19, make: infiltration },
  { name: 'Effusion', share: 0.14, make: effusion },
  { name: 'Mass', share: 0.1, make: mass },
  { name: 'Pneumothorax', share: 0.075, make: pneumothorax },
  { name: 'Consolidation', share: 0.055, make: consolidation },
  { name: 'Cardiomegaly', share: 0.045, make: cardiomegaly },
  { name: 'Pneumoperitoneum', share: 0.024, make: pneumoperitoneum },
  { name: 'Hernia', share: 0.019, make: hernia },
];

/** The classes of the phantoms in class order: index = label, by falling frequency, `No Finding` first. */
export const phantomClasses: readonly string[] = Object.freeze(table.map(({ name }) => name));

/** The share of each class in a long-tailed set of phantoms, in class order; they sum to 1. */
export const phantomShares: readonly number[] = Object.freeze(table.map(({ share }) => share));

/**
 * @param label index into {@link phantomClasses}
 * @param draw where the finding's place, size and strength come from
 * @returns the finding; `undefined` for No Finding
 */
export function makeFinding(label: number, draw: Draw): Finding | undefined {
  return table[label]?.make?.(draw);
}
