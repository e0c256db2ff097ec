import t from 'tap';
import { distillationLoss, distillationTerms } from '../../lib/losses/distillation.js';
import { zeros } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import * as twins from '../reference/distillation.js';
import {
  gradientError,
  input,
  type Loss,
  place,
  plain,
  read,
  secondOrderError,
  valueAndGradient,
} from './support.js';

const student = input('kd.student', [3, 5], 2);
const teachers = [input('kd.focal', [3, 5]), input('kd.global', [3, 5], 3)];

for (const shares of [
  [0.5, 0.5],
  [1, 0],
  [0.3, 0.9],
]) {
  t.test(`shares ${shares.join(' and ')}`, async (t) => {
    const native: Loss = (s) =>
      distillationLoss(
        s,
        teachers.map((teacher) => place(teacher, 'float64')),
        { shares },
      );
    const twin = (values: Float64Array): number =>
      twins.distillation(plain({ values, shape: student.shape }), teachers.map(plain), shares);
    const expected = twin(student.values);
    const double = await valueAndGradient(native, student, 'float64');
    const single = await valueAndGradient(native, student, 'float32');
    t.ok(Math.abs(double.value - expected) <= 1e-12 * expected);
    t.ok(Math.abs(single.value - expected) <= 1e-5 * expected);
    t.ok((await gradientError(native, twin, student)) < 1e-8, 'gradient');
    t.ok((await secondOrderError(native, student)) < 1e-6, 'second order');
  });
}

t.test('the gradient is (s - (f + g) / 2) / B', async (t) => {
  const { gradient } = await valueAndGradient(
    (s) =>
      distillationLoss(
        s,
        teachers.map((teacher) => place(teacher, 'float64')),
      ),
    student,
    'float64',
  );
  const expected = await tidy(async () => {
    const [s, f, g] = [student, ...teachers].map((x) => place(x, 'float64').softmax(1));
    if (!s || !f || !g) throw new Error('three inputs');
    return read(s.sub(f.add(g).div(2)).div(3));
  });
  t.ok(gradient.every((value, i) => Math.abs(value - (expected[i] as number)) < 1e-14));
});

t.test('gives the terms as well, and takes any number of teachers', async (t) => {
  await tidy(async () => {
    const s = place(student, 'float64');
    const all = [...teachers, input('kd.third', [3, 5])];
    const { loss, terms } = distillationTerms(
      s,
      all.map((teacher) => place(teacher, 'float64')),
      { shares: [0.2, 0.3, 0.5] },
    );
    const expected = all.map((teacher) => twins.klTerm(plain(student), plain(teacher)));
    t.equal(terms.length, 3);
    for (const [k, term] of terms.entries()) {
      t.ok(Math.abs((await term.item()) - (expected[k] as number)) < 1e-12);
    }
    const [a, b, c] = expected as [number, number, number];
    t.ok(Math.abs((await loss.item()) - (0.2 * a + 0.3 * b + 0.5 * c)) < 1e-12);
    const one = await distillationLoss(s, [place(all[0] as typeof student, 'float64')]).item();
    t.ok(Math.abs(one - a) < 1e-12, 'a single teacher has the whole share');
  });
});

t.test('is zero where student and teachers agree', async (t) => {
  await tidy(async () => {
    const s = place(student, 'float64');
    t.ok(
      Math.abs(await distillationLoss(s, [s, s.add(7)]).item()) < 1e-14,
      'a constant does not change a softmax',
    );
  });
});

t.test('refuses what does not fit', async (t) => {
  const s = zeros([3, 5]);
  const code = 'ERR_INVALID_ARGUMENT';
  t.throws(() => distillationLoss(s, []), { code, message: /teachers/ });
  t.throws(() => distillationLoss(s, [s], { shares: [0.5, 0.5] }), { code, message: /1 numbers/ });
  t.throws(() => distillationLoss(s, [s], { shares: [-1] }), { code, message: /shares\[0\]/ });
  t.throws(() => distillationLoss(s, [s], { share: [1] } as never), { code, message: /'shares'/ });
  const shape = { code: 'ERR_INVALID_SHAPE' };
  await t.rejects(
    tidy(async () => distillationLoss(s, [s, zeros([3, 4])]).item()),
    { ...shape, message: /teachers\[1\]/ },
  );
  await t.rejects(
    tidy(async () => distillationLoss(zeros([5]), [zeros([5])]).item()),
    { ...shape, message: /\[B, D\]/ },
  );
  await t.rejects(
    tidy(async () => distillationLoss(zeros([0, 5]), [zeros([0, 5])]).item()),
    shape,
  );
  s.dispose();
});
