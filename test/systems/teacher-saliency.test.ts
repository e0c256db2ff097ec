import t from 'tap';
import { resamplingUnits } from '../../lib/metrics/resample.js';
import { SaliencyTable } from '../../lib/systems/gazelt/teacher-saliency.js';

const scores = (cc: number) => ({ cc, kl: 1 - cc, nss: 2 * cc });
const bootstrap = { resamples: 400, seed: 0, level: 0.95 };
const units = (n: number) => resamplingUnits(n, undefined);

t.test('means are over the readings that have the window, and over the windows of a reading', (t) => {
  const table = new SaliencyTable(3, 2);
  const every = (cc: number) => ({ teacher: scores(cc), centreBias: scores(cc - 0.1), uniform: scores(0) });
  table.enter(0, [every(0.2), every(0.6)]);
  table.enter(1, [every(0.4), null]);
  table.enter(2, [null, every(0.8)]);
  const [first, second, all] = table.summary(true, units(3), null);
  const near = (found: number | null | undefined, expected: number) =>
    t.ok(Math.abs((found ?? Number.NaN) - expected) < 1e-12, `${found} is ${expected}`);
  t.same([first?.window, second?.window, all?.window], [0, 1, null]);
  t.same([first?.readings, second?.readings, all?.readings], [2, 2, 3]);
  near(first?.teacher.cc.mean, 0.3);
  near(second?.teacher.nss.mean, 1.4);
  near(all?.teacher.cc.mean, (0.4 + 0.4 + 0.8) / 3);
  near(all?.uniform.kl.mean, 1);
  near(all?.difference?.cc.mean, 0.1);
  near(all?.difference?.kl.mean, -0.1);
  t.equal(all?.teacher.cc.interval, null, 'no bootstrap was asked for');
  t.end();
});

t.test('differences are paired: what is the same in every reading has no width', (t) => {
  const table = new SaliencyTable(40, 1);
  for (let reading = 0; reading < 40; reading++) {
    const cc = (reading % 7) / 10;
    table.enter(reading, [{ teacher: scores(cc + 0.05), centreBias: scores(cc), uniform: scores(0) }]);
  }
  const [first] = table.summary(true, units(40), bootstrap);
  const { teacher, difference } = first ?? {};
  const width = (interval: { low: number; high: number } | null | undefined) =>
    (interval?.high ?? Number.NaN) - (interval?.low ?? Number.NaN);
  t.ok(width(teacher?.cc.interval) > 0.05, 'the readings differ');
  t.ok(width(difference?.cc.interval) < 1e-9, 'their differences do not');
  t.ok((difference?.cc.interval?.low as number) > 0.049);
  t.end();
});

t.test('without a baseline there is none, and an empty window has no number', (t) => {
  const table = new SaliencyTable(2, 2);
  table.enter(0, [{ teacher: scores(0.5), centreBias: null, uniform: scores(0) }, null]);
  const [first, second] = table.summary(false, units(2), bootstrap);
  t.match(first, { centreBias: null, difference: null, readings: 1 });
  t.same(second?.teacher.cc, { mean: null, interval: null });
  t.end();
});
