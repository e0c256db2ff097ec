import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ImageSource } from '../../../lib/data/dataset.js';
import { featureName } from '../../../lib/data/image-table.js';
import { longTailedFormat, openLongTailed } from '../../../lib/data/long-tailed.js';
import { choice, string } from '../case.js';
import type { Kind } from '../kind.js';

/** Labels, counts, image paths and feature files read from a label file. */
export const labelCsvKind: Kind = {
  config: ['dataset', 'data_dir'],
  inputs: ['csv'],
  run: async ({ config, inputs }) => {
    const dataset = choice('dataset', config.dataset, ['nih-cxr-lt', 'mimic-cxr-lt']);
    const dataDir = string('data_dir', config.data_dir);
    const labelDir = await mkdtemp(path.join(tmpdir(), 'cxr-gaze-golden-'));
    try {
      await writeFile(path.join(labelDir, `${dataset}_single-label_train.csv`), string('csv', inputs.csv));
      const table = await openLongTailed({ dataset, labelDir, dataDir, split: 'train' });
      return {
        labels: Array.from(table.labels),
        class_counts: [...table.classCounts],
        image_paths: Array.from({ length: table.length }, (_, i) => joined(dataDir, table.sample(i).image)),
        feature_files: table.paths.flatMap((name) => [
          `focal_${featureName(name)}.npy`,
          `global_${featureName(name)}.npy`,
        ]),
        classes: [...longTailedFormat(dataset).classes],
      };
    } finally {
      await rm(labelDir, { recursive: true });
    }
  },
};

/** The file of a source, written with the folder as the case writes it. */
function joined(folder: string, image: ImageSource): string {
  if (image.kind !== 'file') throw new Error(`a source of kind '${image.kind}'`);
  return `${folder.endsWith('/') ? folder : `${folder}/`}${path.relative(path.resolve(folder), image.path)}`;
}
