import t from 'tap';
import { openData } from '../../lib/cli/datasets.js';
import { phantomClasses } from '../../lib/data/phantom/findings.js';

const asked = { imageSize: 32, purpose: 'training' } as const;

t.test('the embedded sample as a data set', async (t) => {
  const data = await openData({ dataset: 'sample', sample_train: 18, sample_seed: 3 }, asked);
  t.equal(data.name, 'sample');
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
