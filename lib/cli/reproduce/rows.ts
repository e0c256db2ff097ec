/** The rows of the long-tailed table and the flags of `train` that make each of them. */
import { type PublishedRow, publishedRows } from '../../systems/gazelt/published.js';

/** A row: what it is called, and how it is trained. */
export interface TableRow {
  /** Its title in the published tables. */
  readonly title: string;
  /** Flags of `train` that tell it from the others (gazelt.md section 5). */
  readonly flags: readonly string[];
  /** Feature set that it distils; without its files the row is not trained. Default none. */
  readonly features?: string;
  /** It begins with the weights of another row of this run: `--base_row`. Default no. */
  readonly fromBase?: true;
}

const flags = (text: string): readonly string[] => text.split(' ');

const rows: Readonly<Record<PublishedRow, TableRow>> = {
  softmax: { title: 'Softmax', flags: flags('--loss ce') },
  'cb-softmax': { title: 'CB Softmax', flags: flags('--loss ce --rw_method cb') },
  'rw-softmax': { title: 'RW Softmax', flags: flags('--loss ce --rw_method sklearn') },
  focal: { title: 'Focal Loss', flags: flags('--loss focal') },
  'cb-focal': { title: 'CB Focal', flags: flags('--loss focal --rw_method cb') },
  'rw-focal': { title: 'RW Focal', flags: flags('--loss focal --rw_method sklearn') },
  ldam: { title: 'LDAM', flags: flags('--loss ldam') },
  'cb-ldam': { title: 'CB LDAM', flags: flags('--loss ldam --rw_method cb') },
  'cb-ldam-drw': { title: 'CB LDAM-DRW', flags: flags('--loss ldam --rw_method cb --drw') },
  'rw-ldam': { title: 'RW LDAM', flags: flags('--loss ldam --rw_method sklearn') },
  'rw-ldam-drw': { title: 'RW LDAM-DRW', flags: flags('--loss ldam --rw_method sklearn --drw') },
  mixup: { title: 'MixUp', flags: flags('--loss ce --mixup --mixup_alpha 0.2') },
  'balanced-mixup': { title: 'Balanced-MixUp', flags: flags('--loss ce --bal_mixup --mixup_alpha 0.2') },
  crt: { title: 'Decoupling-cRT', flags: flags('--loss ce --decoupling_method cRT'), fromBase: true },
  'tau-norm': {
    title: 'Decoupling-τ-norm',
    flags: flags('--loss ce --decoupling_method tau_norm'),
    fromBase: true,
  },
  // The flags of these two were not recorded. Their figures are those of plain cross-entropy (head .39, tail .08).
  gazeradar: { title: 'GazeRadar', flags: flags('--loss ce'), features: 'gazeradar' },
  radiotransformer: { title: 'RadioTransformer', flags: flags('--loss ce'), features: 'radiotransformer' },
  gazelt: { title: 'GazeLT', flags: flags('--loss ldam --rw_method sklearn --drw'), features: 'gazelt' },
};

/** All rows by name, in the order of the published tables. */
export const tableRows: ReadonlyMap<PublishedRow, TableRow> = new Map(
  publishedRows.map((name) => [name, rows[name]]),
);

/** Flags of training that belong to a method: which rows have a use for each. The others go to every row. */
export const methodFlags: ReadonlyMap<string, (row: TableRow) => boolean> = new Map([
  ['cb_beta', has('--rw_method', 'cb')],
  ['fl_gamma', has('--loss', 'focal')],
  ['drw_epoch', has('--drw')],
  ['drw_lr_factor', has('--drw')],
  ['mixup_alpha', has('--mixup_alpha')],
  ['bal_mixup_distribution', has('--bal_mixup')],
  ['crt_layers', has('--decoupling_method', 'cRT')],
  ['tau', has('--decoupling_method', 'tau_norm')],
  ['kd_weight', (row) => row.features !== undefined],
  ['kd_val_weight', (row) => row.features !== undefined],
  // One teacher's share is the whole.
  ['kd_shares', (row) => row.features === 'gazelt'],
]);

function has(name: string, value?: string): (row: TableRow) => boolean {
  return (row) => {
    const at = row.flags.indexOf(name);
    return at >= 0 && (value === undefined || row.flags[at + 1] === value);
  };
}

/** Under which conditions the rows are trained. */
export type Conditions = 'equal' | 'published';

/**
 * What all rows have in common under `equal`: GazeLT's head, size and epochs (no published baseline was trained so, F10).
 * Under `published` each row has its own program's: the benchmark's, or GazeLT's for rows with features.
 */
export const equalFlags: readonly string[] = flags('--head bottleneck64 --image_size 224 --max_epochs 100');
