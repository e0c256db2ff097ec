import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { type OpenedData, openData } from '../../lib/cli/datasets.js';
import { comparisonOf } from '../../lib/cli/reproduce/outcome.js';
import { phantomNotice } from '../../lib/cli/say-data.js';
import { phantomClasses } from '../../lib/data/phantom/findings.js';

const asked = { imageSize: 32, purpose: 'training' } as const;

t.test('the embedded sample as a data set', async (t) => {
  const data = await openData({ dataset: 'sample', sample_train: 18, sample_seed: 3 }, asked);
  t.match(data, { name: 'sample', isPhantom: true });
  t.same(data.classes, phantomClasses);
  t.equal(data.train?.length, 18);
  t.equal(data.validation, data.splits.get('balanced-val'));
  t.same(
    data.tests.map(([name]) => name),
    ['balanced-test', 'test'],
  );
  t.match(data.train?.sample(0), { id: /^phantom-3-/, patient: /^\d{8}$/, image: { kind: 'pixels' } });
  const image = data.train?.sample(0).image;
  const film = image?.kind === 'pixels' ? await image.pixels() : undefined;
  t.match(film, { width: 64, height: 64 }, 'films are no smaller than a chest can be drawn');
});

t.test('its splits by name, and defaults', async (t) => {
  const data = await openData({ dataset: 'sample', test_split: ['test'] }, { ...asked, imageSize: 128 });
  t.equal(data.train?.length, 800);
  t.match(data.train?.sample(0).id, /^phantom-1-/);
  t.same(
    data.tests.map(([name, { length }]) => [name, length]),
    [['test', 160]],
  );
  await t.rejects(openData({ dataset: 'sample', test_split: ['tset'] }, asked), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /no split 'tset'; did you mean 'test'/,
  });
});

t.test('what is only called sample is none', async (t) => {
  const folder = t.testdir({ sample: { train: { x: { 'a.png': '' }, y: { 'b.png': '' } } } });
  writeFileSync(path.join(folder, 'sample.csv'), 'path,label\nsample/train/x/a.png,x\n');
  const notices = (data: OpenedData) => {
    const splits = { grouped: 'test', imbalanced: 'test' };
    const facts = { data, splits, conditions: 'equal', published: null, seed: 0, options: {} } as const;
    return comparisonOf({ ...facts, chosen: new Set() }, new Map()).notices;
  };
  for (const flags of [
    { csv: path.join(folder, 'sample.csv') },
    { dataset: 'folder', data_dir: path.join(folder, 'sample') },
  ] as const) {
    const data = await openData(flags, asked);
    t.match(data, { name: 'sample', isPhantom: false });
    t.strictSame(notices(data), []);
  }
  t.strictSame(notices(await openData({ dataset: 'sample' }, asked)), [phantomNotice.message]);
});
