import { cli } from './cli.js';

/** The flags that name the films of {@link writeFilms}. */
export const filmFlags = [
  '--csv',
  'films/labels.csv',
  '--split-column',
  'split',
  '--patient_column',
  'patient',
];

/** Where {@link smallRun} leaves its files. */
export const smallRunFolder = 'results/train/labels_resnet18-w8_rand_rw-sklearn_ldam-drw_lr-0.001_bs-6';

/** A `train gazelt` on these films that ends in seconds, by flags of both spellings. */
export function smallRun(epochs: number): string[] {
  return [
    ...['train', 'gazelt', '--features', 'none', '--group_thresholds', '4,2', '--n_TTA', '1', ...filmFlags],
    ...[
      '--rand_init',
      '--model-name',
      'resnet18',
      '--width',
      '8',
      '--image_size',
      '32',
      '--precision',
      'float32',
    ],
    ...['--loss', 'ldam', '--rw_method', 'sklearn', '--drw', '--drw_epoch', '1'],
    ...['--batch_size', '6', '--lr', '1e-3', '--max_epochs', String(epochs), '--bootstrap', '20'],
  ];
}

/** Writes phantoms into `films`, below a folder: 24 to train on, one a class to validate on and in balanced-test. */
export async function writeFilms(folder: string): Promise<void> {
  const splits = ['--val_per_class', '1', '--test_per_class', '1', '--test', '9'];
  const { code, stderr } = await cli(['sample', 'films', '--size', '64', '--train', '24', ...splits], folder);
  if (code !== 0) throw new Error(stderr);
}
