/** The content behind a row's paths, as `reproduce` compares it. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { writeNpy } from '../../lib/checkpoints/npy.js';
import { InputRecord } from '../../lib/cli/reproduce/input-record.js';
import { InputHashes } from '../../lib/cli/reproduce/inputs.js';
import { failure } from '../support/outcome.js';
import { tinyDataset } from '../support/tiny.js';

const folder = t.testdir({
  'weights.pth': 'first',
  'regions.json': '{}',
  saved: { 'model.json': '{}', 'model.safetensors': 'first' },
  focal: { 'teacher.json': '{}', 'model.safetensors': 'focal' },
  global: { 'teacher.json': '{}', 'model.safetensors': 'global' },
  lungs: { 'segmenter.json': '{}', 'model.safetensors': 'lungs' },
});
const at = (...parts: string[]) => path.join(folder, ...parts);
const hash = /^[0-9a-f]{64}$/;

t.test('models by their weights, wherever they lie; tables of regions by their bytes', async (t) => {
  const teachers = [at('focal'), at('global')];
  const flags = { weights: at('weights.pth'), teachers, unet: at('lungs'), regions: at('regions.json') };
  const before = await new InputHashes().of(flags);
  t.match(before, { weights: [hash], teachers: [hash, hash], unet: [hash], regions: [hash] });
  t.strictSame(await new InputHashes().of({ ...flags, weights: at('saved') }), before, 'of the same bytes');

  const table = at('table');
  mkdirSync(table);
  const record = await InputRecord.open(table);
  const row = { name: 'gazelt', target: at('table', 'gazelt') };
  record.refuseOther(row, before);
  t.equal(record.has('gazelt'), false);
  await record.enter('gazelt', before);
  const later = await InputRecord.open(table);
  t.equal(later.has('gazelt'), true);
  later.refuseOther(row, before);

  writeFileSync(at('global', 'model.safetensors'), 'another');
  writeFileSync(at('lungs', 'model.safetensors'), 'others');
  const now = await new InputHashes().of(flags);
  t.equal(now['teachers']?.[0], before['teachers']?.[0]);
  t.throws(() => later.refuseOther(row, now), {
    code: 'ERR_RESUME',
    message: /The row gazelt in .*gazelt began with other content of --teachers, --unet: restore it/,
    details: { changed: ['teachers', 'unet'] },
  });
  later.refuseOther({ ...row, name: 'softmax' }, now);
  rmSync(at('global'), { recursive: true });
  t.notOk((await new InputHashes().of(flags))['teachers'], 'training says what is missing');
});

t.test('vectors by those of the films that are trained and validated on', async (t) => {
  mkdirSync(at('vectors'));
  const films = [tinyDataset('train', 2), tinyDataset('validation', 1)];
  const write = (name: string, value: number) =>
    writeNpy(at('vectors', `${name}.npy`), new Float32Array(64).fill(value), [64]);
  for (const name of ['train-0', 'train-1', 'validation-0'])
    for (const set of ['focal', 'global']) await write(`${set}_${name}`, 1);
  const flags = { features: 'gazelt', features_dir: at('vectors') };
  const before = await new InputHashes().of(flags, films);
  t.match(before, { features_dir: [hash, hash] });
  await write('focal_other-film', 3);
  await write('gazeradar_train-0', 3);
  t.strictSame(await new InputHashes().of(flags, films), before, 'others are another matter');
  await write('global_validation-0', 2);
  const after = await new InputHashes().of(flags, films);
  t.equal(after['features_dir']?.[0], before['features_dir']?.[0]);
  t.not(after['features_dir']?.[1], before['features_dir']?.[1]);
  rmSync(at('vectors', 'focal_train-1.npy'));
  t.strictSame(await new InputHashes().of(flags, films), {}, 'training lists what is missing');
  t.strictSame(await new InputHashes().of({ ...flags, features: 'none' }, films), {});
});

t.test('one file once by one reader, and again by another', async (t) => {
  const flags = { weights: at('weights.pth') };
  const hashes = new InputHashes();
  const first = await hashes.of(flags);
  writeFileSync(at('weights.pth'), 'second');
  t.strictSame(await hashes.of(flags), first);
  t.not((await new InputHashes().of(flags))['weights']?.[0], first['weights']?.[0]);
});

t.test('a record that cannot be read is an error, and none is written before a row begins', async (t) => {
  const record = await InputRecord.open(at('nowhere'));
  t.equal(record.has('softmax'), false);
  t.notOk(existsSync(at('nowhere')));
  mkdirSync(at('broken'));
  writeFileSync(at('broken', 'inputs.json'), '{');
  t.match(await failure(InputRecord.open(at('broken'))), { message: /inputs\.json/ });
});
