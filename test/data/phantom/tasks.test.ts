import t from 'tap';
import { boundingBox } from '../../../lib/data/box.js';
import { phantomTask } from '../../../lib/data/phantom/tasks.js';

t.test('a task of equally many films, whose lungs and findings are known', async (t) => {
  const { train, validation, test } = phantomTask({
    ...{ task: 'nep', size: 64, trainPerClass: 4, valPerClass: 2, testPerClass: 3 },
  });
  t.equal(train.name, 'phantom nep train');
  t.strictSame(train.classes, ['No Finding', 'Effusion', 'Pneumothorax']);
  for (const [split, each] of [
    [train, 4],
    [validation, 2],
    [test, 3],
  ] as const) {
    const samples = Array.from({ length: split.length }, (_, i) => split.sample(i));
    for (const label of [0, 1, 2]) t.equal(samples.filter((one) => one.label === label).length, each);
  }
  const patients = (split: typeof train) =>
    new Set(Array.from({ length: split.length }, (_, i) => split.sample(i).patient));
  for (const patient of patients(test))
    t.notOk(patients(train).has(patient) || patients(validation).has(patient));

  for (let i = 0; i < train.length; i++) {
    const { lungs, finding } = train.boxes(i);
    const { label } = train.sample(i);
    const whole = train.phantom(i);
    t.equal(whole.finding, train.classes[label]);
    t.strictSame(finding, whole.box, 'as of the whole phantom');
    t.strictSame(lungs, boundingBox(whole.lungMask, 64));
    t.ok(lungs.width > 30 && lungs.height > 25 && lungs.x + lungs.width <= 64, JSON.stringify(lungs));
    t.equal(finding === null, label === 0);
    if (finding === null) continue;
    const middle = (box: typeof lungs) => box.y + box.height / 2;
    // Fluid sinks, air rises.
    if (label === 1) t.ok(middle(finding) > middle(lungs), 'effusion is in the lower half');
    else t.ok(finding.y < middle(lungs), 'pneumothorax begins in the upper half');
  }
});

t.test('classes of one own, and what cannot be meant', async (t) => {
  const { train } = phantomTask({ task: ['No Finding', 'Mass'], size: 64, trainPerClass: 2 });
  t.equal(train.name, 'phantom Mass train');
  t.strictSame(new Set([0, 1, 2, 3].map((i) => train.sample(i).label)), new Set([0, 1]));
  const code = { code: 'ERR_INVALID_ARGUMENT' };
  t.throws(() => phantomTask({ task: 'ns' as never }), code);
  t.throws(() => phantomTask({ task: ['Mass', 'No Finding'] }), code);
  t.throws(() => phantomTask({ task: ['No Finding', 'Mas'] }), /nearest: 'Mass'/);
  t.throws(() => phantomTask({ task: 'ne', trainPerClass: 0 }), code);
  t.throws(() => phantomTask({ task: 'ne', train: 3 } as never), code);
});
