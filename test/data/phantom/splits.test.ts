import fc from 'fast-check';
import t from 'tap';
import type { Dataset, Pixels } from '../../../lib/data/dataset.js';
import { phantomClasses } from '../../../lib/data/phantom/findings.js';
import { patientBlock, patientOf } from '../../../lib/data/phantom/patients.js';
import { longTailedCounts, type PhantomSplits, phantomSplits } from '../../../lib/data/phantom/splits.js';

const all = (splits: PhantomSplits) => Object.values(splits);
const patients = (data: Dataset) =>
  Array.from({ length: data.length }, (_, i) => data.sample(i).patient as string);

t.test('the quickstart set: sizes, counts, classes', async (t) => {
  const splits = phantomSplits();
  t.same(Object.keys(splits), ['train', 'balanced-val', 'balanced-test', 'test']);
  t.same(
    all(splits).map(({ length }) => length),
    [800, 90, 180, 160],
  );
  t.same(
    splits['balanced-val'].classCounts,
    phantomClasses.map(() => 10),
  );
  t.same(
    splits['balanced-test'].classCounts,
    phantomClasses.map(() => 20),
  );
  const { classCounts } = splits.train;
  t.ok(
    classCounts.every((count, i) => i === 0 || count < (classCounts[i - 1] as number)),
    'strictly falling',
  );
  t.ok((classCounts[0] as number) / (classCounts.at(-1) as number) > 15, 'long-tailed');
  for (const split of all(splits)) {
    const counted = phantomClasses.map((_, label) => split.labels.filter((l) => l === label).length);
    t.same(counted, split.classCounts, `${split.name}: labels and counts agree`);
    t.equal(split.classes, phantomClasses);
  }
  const firstHundred = new Set(splits.train.labels.slice(0, 100));
  t.ok(firstHundred.size > 5, 'classes are mixed, not in blocks');
});

t.test('no patient and no film is in two splits; patients have several films', async (t) => {
  const splits = phantomSplits({ seed: 11, train: 300, valPerClass: 7, testPerClass: 9, test: 130 });
  const sets = all(splits).map((split) => new Set(patients(split)));
  const together = new Set(sets.flatMap((set) => [...set]));
  t.equal(
    together.size,
    sets.reduce((sum, set) => sum + set.size, 0),
  );
  const ids = all(splits).flatMap((split) =>
    Array.from({ length: split.length }, (_, i) => split.sample(i).id),
  );
  t.equal(new Set(ids).size, ids.length);
  const films = new Map<string, number>();
  for (const patient of patients(splits.train)) films.set(patient, (films.get(patient) ?? 0) + 1);
  t.ok([...films.values()].some((count) => count >= 3));
  t.ok([...films.values()].filter((count) => count === 1).length > 100);
  t.match([...films.keys()][0], /^\d{8}$/);
});

t.test('films of a patient share their anatomy', async (t) => {
  const { train } = phantomSplits({ seed: 1, size: 64, train: 200 });
  const who = patients(train);
  const first = who.findIndex((patient, i) => who[i + 1] === patient);
  const stranger = who.findIndex((patient) => patient !== who[first]);
  // Lung borders depend on the build and, less, on how the film was taken.
  const overlap = (a: number, b: number) => {
    const [p, q] = [train.phantom(a).lungMask, train.phantom(b).lungMask];
    const both = p.filter((value, i) => value > 0 && (q[i] as number) > 0).length;
    return both / p.filter((value, i) => value > 0 || (q[i] as number) > 0).length;
  };
  t.ok(overlap(first, first + 1) > 0.75);
  t.ok(stranger >= 0);
});

t.test('samples carry what the phantoms show', async (t) => {
  const { 'balanced-test': split } = phantomSplits({ seed: 5, size: 64, testPerClass: 1 });
  for (let i = 0; i < split.length; i++) {
    const sample = split.sample(i);
    const made = split.phantom(i);
    t.equal(sample.id, made.id);
    t.equal(sample.label, made.label);
    t.equal(sample.patient, made.patient);
    if (sample.image.kind !== 'pixels') {
      t.fail('phantoms are made on demand');
      continue;
    }
    const pixels: Pixels = await sample.image.pixels();
    t.strictSame(pixels, made.pixels);
    t.same([pixels.width, pixels.height, pixels.channels], [64, 64, 1]);
  }
  for (const index of [-1, split.length, 0.5]) {
    t.throws(() => split.sample(index), { code: 'ERR_INVALID_ARGUMENT', message: /index/ });
    t.throws(() => split.phantom(index), { code: 'ERR_INVALID_ARGUMENT', message: /index/ });
  }
});

t.test('the size of one split changes no film of another', async (t) => {
  const few = phantomSplits({ train: 9, test: 50 });
  const many = phantomSplits({ train: 900, test: 50 });
  t.strictSame(few.test.phantom(13), many.test.phantom(13));
});

t.test('sharing out films among the classes', async (t) => {
  await t.resolves(
    fc.assert(
      fc.asyncProperty(fc.integer({ min: phantomClasses.length, max: 100_000 }), async (total) => {
        const counts = longTailedCounts(total);
        return (
          counts.length === phantomClasses.length &&
          counts.reduce((sum, count) => sum + count, 0) === total &&
          counts.every((count, i) => count >= 1 && (i === 0 || count <= (counts[i - 1] as number)))
        );
      }),
    ),
  );
});

t.test('patients follow from the index, block by block', async (t) => {
  await t.resolves(
    fc.assert(
      fc.asyncProperty(fc.nat(1e8), fc.nat(0xffffffff), async (index, seed) => {
        const here = patientOf(index, seed);
        const next = patientOf(index + 1, seed);
        const block = Math.floor(index / patientBlock);
        const isNewBlock = (index + 1) % patientBlock === 0;
        const inBlock = here >= block * patientBlock && here < (block + 1) * patientBlock;
        return (
          inBlock && (isNewBlock ? next === (block + 1) * patientBlock : next === here || next === here + 1)
        );
      }),
    ),
  );
});

t.test('wrong options', async (t) => {
  const refuse = (options: object, message: RegExp) =>
    t.throws(() => phantomSplits(options), { code: 'ERR_INVALID_ARGUMENT', message });
  refuse({ train: 8 }, /at least 9.*options.train/);
  refuse({ test: 5 }, /options.test/);
  refuse({ valPerClass: -1 }, /options.valPerClass/);
  refuse({ testPerClass: 1.5 }, /options.testPerClass/);
  refuse({ val: 3 }, /Unknown option options.val/);
  refuse({ size: 2000 }, /options.size/);
  t.equal(phantomSplits({ test: 0, valPerClass: 0, testPerClass: 0 }).test.length, 0);
});
