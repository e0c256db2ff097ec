import fc from 'fast-check';
import t from 'tap';
import { filmView, patientAnatomy } from '../../../lib/data/phantom/anatomy.js';
import { Geometry } from '../../../lib/data/phantom/geometry.js';
import { overEllipse, type StrokePoint, stroke, valueNoise } from '../../../lib/data/phantom/raster.js';
import { overPlaces } from '../../../lib/data/phantom/scene.js';

t.test('a stroke is widest and brightest where it is told, and joints do not add up', async (t) => {
  const size = 40;
  const point = (x: number, y: number): StrokePoint => ({ x, y, half: 4, peak: 0.5 });
  const plane = new Float32Array(size * size);
  stroke(plane, size, [point(10, 20), point(20, 20), point(30, 20)], 'tube');
  const at = (x: number, y: number) => plane[y * size + x] as number;
  const expected = 0.5 * Math.sqrt(1 - (0.5 / 4) ** 2);
  for (const x of [12, 19, 20, 28]) t.ok(Math.abs(at(x, 20) - expected) < 1e-6, `column ${x}`);
  t.equal(at(20, 25), 0, 'nothing beyond half the width');
  t.equal(at(3, 20), 0, 'nothing beyond the ends');
  t.ok(at(20, 23) < at(20, 21), 'paler towards the border');
  const twice = Float32Array.from(plane);
  stroke(twice, size, [point(10, 20), point(30, 20)], 'tube');
  t.ok(
    twice.every((value, i) => Math.abs(value - (plane[i] as number)) < 1e-6),
    'drawn again, the same',
  );
});

t.test('thin strokes stay whole, strokes off the plane draw nothing', async (t) => {
  const size = 32;
  const plane = new Float32Array(size * size);
  const thin = (x: number, y: number): StrokePoint => ({ x, y, half: 0.1, peak: 1 });
  stroke(plane, size, [thin(3, 4), thin(28, 25)], 'line');
  for (let x = 4; x < 27; x++) {
    const column = Array.from({ length: size }, (_, y) => plane[y * size + x] as number);
    t.ok(Math.max(...column) > 0, `column ${x} is not left out`);
  }
  t.ok(Math.max(...plane) <= 0.1 / 0.75 + 1e-6, 'pale, as a thin line is');
  const empty = new Float32Array(size * size);
  stroke(empty, size, [thin(-30, -30), thin(-5, -9)], 'bone');
  t.ok(empty.every((value) => value === 0));
});

t.test('an ellipse covers its area', async (t) => {
  const size = 200;
  let pixels = 0;
  overEllipse(size, { x: 90, y: 110, rx: 60, ry: 25, angle: 0.7 }, () => pixels++);
  t.ok(Math.abs(pixels / (Math.PI * 60 * 25) - 1) < 0.01);
  let turned = 0;
  overEllipse(size, { x: 90, y: 110, rx: 60, ry: 25, angle: Math.PI / 2 }, (pixel) => {
    turned = Math.max(turned, Math.abs(Math.floor(pixel / size) + 0.5 - 110));
  });
  t.ok(turned > 58, 'the first axis turns clockwise from the horizontal');
});

t.test('smooth noise', async (t) => {
  const noise = valueNoise(64, 5, 8);
  t.ok(noise.every((value) => value >= -1 && value <= 1));
  t.ok(Math.max(...noise) > 0.5 && Math.min(...noise) < -0.5);
  t.strictSame(valueNoise(64, 5, 8), noise);
  t.notSame(valueNoise(64, 6, 8), noise);
  let step = 0;
  for (let i = 1; i < 64; i++)
    step = Math.max(step, Math.abs((noise[i] as number) - (noise[i - 1] as number)));
  t.ok(step < 0.5, 'no jumps');
});

t.test('pixels and places are inverse to each other; the lungs have no gaps', async (t) => {
  await t.resolves(
    fc.assert(
      fc.asyncProperty(fc.nat(1000), fc.nat(1000), async (patient, index) => {
        const geometry = new Geometry(patientAnatomy(1, patient), filmView(1, index), 64);
        let worst = 0;
        overPlaces(geometry, (pixel, u, v) => {
          const { x, y } = geometry.toPixel({ u, v });
          worst = Math.max(
            worst,
            Math.abs(x - (pixel % 64) - 0.5),
            Math.abs(y - Math.floor(pixel / 64) - 0.5),
          );
        });
        const { anatomy, top } = geometry;
        for (const side of ['right', 'left'] as const) {
          for (let v = top + 0.02; v < anatomy.dome[side]; v += 0.01) {
            if (geometry.outer(side, v) <= geometry.inner(side, v)) return false;
          }
          // The costophrenic angle is the lowest place of the lung, the dome's crest the highest of the diaphragm.
          if (geometry.floor(side, anatomy.lungWidth[side]) <= geometry.floor(side, 0.15)) return false;
        }
        return worst < 1e-3;
      }),
      { numRuns: 15 },
    ),
  );
});
