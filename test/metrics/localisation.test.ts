import t from 'tap';
import type { CamMap } from '../../lib/cam/maps.js';
import type { Box } from '../../lib/data/box.js';
import { evaluateLocalisation, localisationScores } from '../../lib/metrics/localisation.js';
import { uniform } from '../golden/fill.js';

const map = (rows: readonly (readonly number[])[]): CamMap => ({
  height: rows.length,
  width: (rows[0] as readonly number[]).length,
  data: Float32Array.from(rows.flat()),
});

const small = map([
  [0, 0, 0, 0.25],
  [0, 1, 0.5, 0],
  [0, 0.75, 0.25, 0],
]);

t.test('pointing game, energy and IoU, counted by hand', (t) => {
  const box: Box = { x: 1, y: 1, width: 2, height: 1 };
  t.same(localisationScores(small, box), { pointing: 1, energy: 1.5 / 2.75, iou: 2 / 3 });
  const beside: Box = { x: 2, y: 0, width: 2, height: 3 };
  t.same(localisationScores(small, beside), { pointing: 0, energy: 1 / 2.75, iou: 1 / 8 });
  t.equal(localisationScores(small, beside, { tolerance: 1 }).pointing, 1);
  t.equal(localisationScores(small, { x: 3, y: 2, width: 1, height: 1 }, { tolerance: 1 }).pointing, 0);
  t.equal(localisationScores(small, { x: 3, y: 2, width: 1, height: 1 }, { tolerance: 2.9 }).pointing, 1);
  t.equal(localisationScores(small, box, { level: 0.75 }).iou, 1 / 3);
  const data = Uint8Array.of(0, 0, 0, 0, 0, 255, 7, 0, 0, 0, 0, 0);
  t.same(localisationScores(small, { width: 4, height: 3, data }), localisationScores(small, box), 'a mask');
  t.end();
});

t.test('maps without a single maximum, boxes with fractions and over the border', (t) => {
  const flat = map([
    [1, 1],
    [1, 1],
  ]);
  const quarter: Box = { x: 0, y: 0, width: 1, height: 1 };
  t.same(
    localisationScores(flat, quarter),
    { pointing: 0.25, energy: 0.25, iou: 0.25 },
    'as often as chance',
  );
  const none = { ...flat, data: new Float32Array(4) };
  t.same(localisationScores(none, quarter), { pointing: 0.25, energy: 0, iou: 0 });
  t.equal(localisationScores(flat, { x: 0.4, y: -3, width: 9, height: 4.4 }).energy, 0.5, 'by centres');
  t.equal(localisationScores(flat, { x: 0.6, y: 0, width: 1, height: 2 }).energy, 0.5);
  t.end();
});

t.test('a set is averaged, with intervals by patient', (t) => {
  const scores = [0.1, 0.2, 0.6, 0.7].map((share, i) => ({
    map: map([[share, 1 - share]]),
    place: { x: 0, y: 0, width: 1, height: 1 },
    patient: i < 2 ? 'a' : 'b',
  }));
  const result = evaluateLocalisation(scores, { bootstrap: { resamples: 200 } });
  t.equal(result.count, 4);
  t.ok(Math.abs((result.energy.mean as number) - 0.4) < 1e-6);
  t.equal(result.pointing.mean, 0.5);
  t.ok(Math.abs((result.energy.interval?.low as number) - 0.15) < 1e-6, 'two patients: one of them twice');
  t.ok(Math.abs((result.energy.interval?.high as number) - 0.65) < 1e-6);
  t.equal(result.each[2]?.pointing, 1);
  t.equal(evaluateLocalisation(scores).energy.interval, null);
  t.same(evaluateLocalisation([]).iou, { mean: null, interval: null });
  t.throws(
    () => evaluateLocalisation([...scores, { map: small, place: { x: 0, y: 0, width: 1, height: 1 } }]),
    {
      code: 'ERR_INVALID_ARGUMENT',
      message: /patient/,
    },
  );
  t.end();
});

t.test('moving all the heat into the place cannot lower a score', (t) => {
  const place: Box = { x: 3, y: 2, width: 4, height: 5 };
  for (let i = 0; i < 20; i++) {
    const data = Float32Array.from(uniform(`heat${i}`, 100), (u) => (u + 1) / 2);
    const before = localisationScores({ width: 10, height: 10, data }, place);
    const inside = data.map((v, p) => (p % 10 >= 3 && p % 10 < 7 && p >= 20 && p < 70 ? v : 0));
    const after = localisationScores({ width: 10, height: 10, data: inside }, place);
    t.equal(after.pointing, 1);
    t.equal(after.energy, 1);
    t.ok(after.iou >= before.iou);
  }
  t.end();
});

t.test('what cannot be scored is a coded error', (t) => {
  const place: Box = { x: 0, y: 0, width: 1, height: 1 };
  const code = 'ERR_INVALID_ARGUMENT';
  const throws = (call: () => unknown, message: RegExp): void => void t.throws(call, { code, message });
  throws(() => localisationScores({ ...small, data: new Float32Array(3) }, place), /map\.data/);
  throws(() => localisationScores({ ...small, data: small.data.map((v) => -v) }, place), /at least 0/);
  throws(() => localisationScores({ ...small, data: small.data.map(() => Number.NaN) }, place), /NaN/);
  throws(() => localisationScores(small, { ...place, x: 4 }), /place with a pixel/);
  const maps = [place, { ...place, x: 4 }].map((one) => ({ map: small, place: one }));
  throws(() => evaluateLocalisation(maps), /4 x 3 map for maps\[1\]\.place .*x 4, y 0, width 1, height 1/);
  throws(() => localisationScores(small, { ...place, width: Number.NaN }), /place/);
  throws(() => localisationScores(small, { width: 2, height: 2, data: new Uint8Array(4) }), /mask of 4 x 3/);
  throws(() => localisationScores(small, place, { level: 0 }), /level/);
  throws(() => localisationScores(small, place, { tolerance: -1 }), /tolerance/);
  throws(() => localisationScores(small, place, { levl: 1 } as never), /level/);
  t.end();
});
