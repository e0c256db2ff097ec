import { readFileSync } from 'node:fs';
import t from 'tap';
import { drawBox, withinBox } from '../../lib/cam/draw-box.js';
import { jet } from '../../lib/cam/jet.js';
import { overlay } from '../../lib/cam/overlay.js';
import { fixture } from '../support/paths.js';

interface OverlayCase {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly imageWeight: number;
  readonly image: number[];
  readonly map: number[];
  readonly overlay: number[];
}

const reference = JSON.parse(readFileSync(fixture('cam', 'overlay.json'), 'utf8')) as {
  jet: number[][];
  cases: OverlayCase[];
};

t.test("jet equals OpenCV's table", async (t) => {
  t.same(
    reference.jet.map((_, i) => [...jet(i)]),
    reference.jet,
  );
});

t.test('overlays equal those of show_cam_on_image byte for byte', async (t) => {
  for (const item of reference.cases) {
    const { width, height } = item;
    const result = overlay(
      { width, height, channels: item.channels, data: Uint8Array.from(item.image) },
      { width, height, data: Float32Array.from(item.map) },
      { imageWeight: item.imageWeight },
    );
    t.equal(result.channels, 3);
    t.same(Array.from(result.data), item.overlay, item.name);
  }
});

t.test('resizes a map of another size', async (t) => {
  const image = { width: 4, height: 4, channels: 1 as const, data: new Uint8Array(16).fill(100) };
  const small = overlay(image, { width: 1, height: 1, data: Float32Array.of(0.5) });
  const full = overlay(image, { width: 4, height: 4, data: new Float32Array(16).fill(0.5) });
  t.same(small.data, full.data, 'a single value covers the image');

  const ramp = overlay(image, { width: 2, height: 1, data: Float32Array.of(0, 0.8) });
  const columns = overlay(image, {
    width: 4,
    height: 4,
    data: Float32Array.from({ length: 16 }, (_, i) => [0, 0.2, 0.6, 0.8][i % 4] as number),
  });
  t.same(ramp.data, columns.data, 'half-pixel centres, clamped at the edges');
});

t.test('refuses what does not fit', async (t) => {
  const image = { width: 2, height: 1, channels: 1 as const, data: new Uint8Array(2) };
  const map = { width: 2, height: 1, data: Float32Array.of(0, 1) };
  const code = 'ERR_INVALID_ARGUMENT';
  t.throws(() => overlay({ ...image, data: new Uint8Array(3) }, map), { code, message: /image\.data/ });
  t.throws(() => overlay(image, { ...map, data: Float32Array.of(0) }), { code, message: /map\.data/ });
  t.throws(() => overlay(image, { ...map, data: Float32Array.of(0, 1.5) }), {
    code,
    message: /map\.data\[1\]/,
  });
  t.throws(() => overlay(image, { ...map, data: Float32Array.of(Number.NaN, 0) }), { code, message: /NaN/ });
  t.throws(() => overlay(image, map, { imageWeight: 2 }), { code, message: /imageWeight/ });
});

t.test('a box is drawn as an outline, cut off at the border', async (t) => {
  const image = { width: 5, height: 4, channels: 1 as const, data: new Uint8Array(20).fill(9) };
  const drawn = drawBox(image, { x: 1, y: 0.4, width: 3, height: 3 }, { colour: [200, 9, 9] });
  t.same([drawn.width, drawn.height, drawn.channels], [5, 4, 3]);
  const red = Array.from({ length: 20 }, (_, p) => Number(drawn.data[3 * p] === 200));
  t.same(red, [0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
  t.ok(drawn.data.every((value, i) => value === 9 || i % 3 === 0));
  t.ok(
    image.data.every((value) => value === 9),
    'the image is left as it is',
  );
  const over = drawBox(image, { x: -2, y: 2, width: 4, height: 9 }, { thickness: 1 });
  t.same(
    Array.from({ length: 20 }, (_, p) => Number(over.data[3 * p] === 255)),
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0],
  );
  const code = 'ERR_INVALID_ARGUMENT';
  t.throws(() => drawBox({ ...image, height: 3 }, { x: 0, y: 0, width: 1, height: 1 }), { code });
  t.throws(() => drawBox(image, { x: 0, y: 0, width: Number.NaN, height: 1 }), { code, message: /box/ });
  t.throws(() => drawBox(image, { x: 0, y: 0, width: 1, height: 1 }, { colour: [0, 0, 256] }), { code });
});

t.test('a picture within a box, the plain image around it', async (t) => {
  const image = { width: 3, height: 2, channels: 1 as const, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
  const picture = { width: 3, height: 2, channels: 3 as const, data: new Uint8Array(18).fill(200) };
  const reds = (box: { x: number; y: number; width: number; height: number }) =>
    Array.from(withinBox(picture, image, box).data).filter((_, i) => i % 3 === 0);
  t.same(reds({ x: 1, y: 0.6, width: 4, height: 2 }), [1, 2, 3, 4, 200, 200]);
  t.same(reds({ x: -3, y: 0, width: 2, height: 2 }), [1, 2, 3, 4, 5, 6], 'beside the image');
  t.same(reds({ x: 0, y: -1, width: 1, height: 2 }), [200, 2, 3, 4, 5, 6]);
  t.same([picture.data[0], image.data[4]], [200, 5], 'both are left as they are');
  const code = 'ERR_INVALID_ARGUMENT';
  t.throws(() => withinBox(image, image, { x: 0, y: 0, width: 1, height: 1 }), { code, message: /RGB/ });
});
