/**
 * NIH's films of Pneumonia and of No Finding from a table of films, laid out as loc-attention's programs take them:
 * OUT/{train,val,test}/{0NoFinding,1Pneumonia}/, copies under NIH's own names, by which patients are
 * known, with OUT.regions.json beside.
 *
 *     node bench/experiments/pneumonia-folder.mjs --csv DATA/cxr/labels.csv --root DATA --out films/pneumonia
 *
 * The table has the columns path, finding, patient, split and source. What the folder is for: docs/experiments.md.
 */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openTable } from '../../dist/lib/index.js';
import { settingsFrom } from './support.mjs';

const { csv, root, out } = settingsFrom({ csv: '', root: '', out: 'films/pneumonia' });
const folders = { 'No Finding': '0NoFinding', Pneumonia: '1Pneumonia' };
const { classes, splits } = await openTable({
  ...{
    csv,
    root,
    labelColumn: 'finding',
    splitColumn: 'split',
    patientColumn: 'patient',
    emptyLabel: 'skip',
  },
  where: [
    { column: 'source', equals: 'nih' },
    { column: 'finding', equals: Object.keys(folders) },
  ],
});
for (const [split, films] of splits) {
  for (let i = 0; i < films.length; i++) {
    const { label, image } = films.sample(i);
    const folder = path.join(out, split, folders[classes[label]]);
    await mkdir(folder, { recursive: true });
    await copyFile(image.path, path.join(folder, path.basename(image.path).replace(/^nih_/, '')));
  }
  process.stdout.write(`${split}: ${films.length} films\n`);
}
const regions = { '0NoFinding': null, '1Pneumonia': 'inside' };
await writeFile(`${out}.regions.json`, `${JSON.stringify(regions)}\n`);
