import t from 'tap';
import { drawAugmentation } from '../../lib/data/augmentation.js';

t.test('depends on seed, epoch and index, not on the order of asking', async (t) => {
  const forward = Array.from({ length: 50 }, (_, i) => drawAugmentation(1, 2, i));
  const backward = Array.from({ length: 50 }, (_, i) => drawAugmentation(1, 2, 49 - i)).reverse();
  t.strictSame(forward, backward);
  t.notSame(drawAugmentation(1, 2, 0), drawAugmentation(1, 3, 0));
  t.notSame(drawAugmentation(1, 2, 0), drawAugmentation(2, 2, 0));
  t.notSame(drawAugmentation(1, 2, 0), drawAugmentation(1, 0, 2));
});

t.test('flips half of the images and turns by up to 15 degrees', async (t) => {
  const n = 4000;
  const all = Array.from({ length: n }, (_, i) => drawAugmentation(0, 1, i));
  t.ok(Math.abs(all.filter((a) => a.flip).length / n - 0.5) < 0.04);
  t.ok(all.every((a) => a.angle >= -15 && a.angle < 15));
  t.ok(Math.min(...all.map((a) => a.angle)) < -14.9 && Math.max(...all.map((a) => a.angle)) > 14.9);
  t.ok(Math.abs(all.reduce((sum, a) => sum + a.angle, 0) / n) < 0.7);
  const flipped = all.filter((a) => a.flip);
  t.ok(
    Math.abs(flipped.reduce((sum, a) => sum + a.angle, 0) / flipped.length) < 1,
    'flip and angle are independent',
  );
});

t.test('options', async (t) => {
  const off = Array.from({ length: 50 }, (_, i) =>
    drawAugmentation(0, 1, i, { flipProbability: 0, maxAngle: 0 }),
  );
  t.ok(off.every((a) => !a.flip && a.angle === 0));
  t.ok(
    Array.from({ length: 50 }, (_, i) => drawAugmentation(0, 1, i, { flipProbability: 1 })).every(
      (a) => a.flip,
    ),
  );
  const narrow = Array.from({ length: 500 }, (_, i) => drawAugmentation(0, 1, i, { maxAngle: 3 }).angle);
  t.ok(narrow.every((a) => Math.abs(a) <= 3) && Math.max(...narrow) > 2.8);
  for (const options of [{ flipProbability: 2 }, { maxAngle: -1 }, { maxAngel: 3 }])
    t.throws(() => drawAugmentation(0, 1, 0, options), { code: 'ERR_INVALID_ARGUMENT' });
  t.throws(() => drawAugmentation(0, 1, -1), { code: 'ERR_INVALID_ARGUMENT' });
});
