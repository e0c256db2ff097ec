/** The content behind a row's paths, as `reproduce` compares it. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { writeNpy } from '../../lib/checkpoints/npy.js';
import { changedInputs, InputHashes } from '../../lib/cli/reproduce/inputs.js';

const folder = t.testdir({
  'weights.pth': 'first',
  saved: { 'model.json': '{}', 'model.safetensors': 'first' },
  focal: { 'teacher.json': '{}', 'model.safetensors': 'focal' },
  global: { 'teacher.json': '{}', 'model.safetensors': 'global' },
  lungs: { 'segmenter.json': '{}', 'model.safetensors': 'lungs' },
});
const at = (...parts: string[]) => path.join(folder, ...parts);

t.test('models by their weights, wherever they lie', async (t) => {
  const flags = { weights: at('weights.pth'), teachers: [at('focal'), at('global')], unet: at('lungs') };
  const before = await new InputHashes().of(flags);
  t.match(before, { weights: [/^[0-9a-f]{64}$/], teachers: [String, String], unet: [String] });
  t.strictSame(await new InputHashes().of({ ...flags, weights: at('saved') }), before, 'of the same bytes');
  t.strictSame(changedInputs(before, await new InputHashes().of(flags)), []);

  writeFileSync(at('global', 'model.safetensors'), 'another');
  writeFileSync(at('lungs', 'model.safetensors'), 'others');
  const now = await new InputHashes().of(flags);
  t.equal(now['teachers']?.[0], before['teachers']?.[0]);
  t.strictSame(changedInputs(before, now), ['teachers', 'unet']);
  t.strictSame(changedInputs(undefined, now), [], 'what was not recorded cannot have changed');
});

t.test('vectors by names and bytes of the files of their set', async (t) => {
  mkdirSync(at('vectors'));
  const write = (name: string, value: number) => writeNpy(at('vectors', name), Float32Array.of(value), [1]);
  await write('focal_a.npy', 1);
  await write('global_a.npy', 2);
  const flags = { features: 'gazelt', features_dir: at('vectors') };
  const before = await new InputHashes().of(flags);
  t.equal(before['features_dir']?.length, 2);
  await write('gazeradar_a.npy', 3);
  t.strictSame(await new InputHashes().of(flags), before, 'another set is another matter');
  copyFileSync(at('vectors', 'focal_a.npy'), at('vectors', 'focal_b.npy'));
  t.strictSame(changedInputs(before, await new InputHashes().of(flags)), ['features_dir']);
});

t.test('nothing is hashed that takes no part, and one file once a command', async (t) => {
  t.strictSame(await new InputHashes().of({ features: 'none', features_dir: at('vectors') }), {});
  t.strictSame(
    await new InputHashes().of({ weights: at('absent.pth') }),
    {},
    'training says what is missing',
  );
  const hashes = new InputHashes();
  const first = await hashes.of({ weights: at('weights.pth') });
  writeFileSync(at('weights.pth'), 'second');
  t.strictSame(await hashes.of({ weights: at('weights.pth') }), first);
});
