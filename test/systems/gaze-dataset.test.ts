import t from 'tap';
import { type Dataset, type Sample, subsetOf } from '../../lib/data/dataset.js';
import { DataLoader } from '../../lib/data/loader.js';
import { phantomSplits } from '../../lib/data/phantom/splits.js';
import { prepareImages } from '../../lib/data/prepare.js';
import { SequentialSampler } from '../../lib/data/samplers.js';
import {
  firstReadings,
  matchReadings,
  phantomGaze,
  splitReadings,
} from '../../lib/systems/gazelt/gaze-dataset.js';
import { moved, readableGaze, readingsOf } from '../../lib/systems/gazelt/teacher-targets.js';
import { tinyReading } from '../support/gaze.js';
import { tinyDataset } from '../support/tiny.js';

const films = tinyDataset('film', 4);

t.test('readings find their films by name; a film that was read twice is there twice', (t) => {
  const readings = [
    { ...tinyReading('film-2', [[1, 1]]), id: 'b' },
    { ...tinyReading('film-0', [[1, 1]]), id: 'a' },
    { ...tinyReading('film-2', [[2, 2]]), id: 'c' },
    tinyReading('film-3', []),
    tinyReading('elsewhere', [[1, 1]]),
  ];
  const { images, readings: matched, ...counts } = matchReadings(films, readings);
  t.same(counts, { unread: 2, unmatched: 1, empty: 1 });
  t.same(
    matched.map(({ id }) => id),
    ['a', 'b', 'c'],
  );
  t.same(
    Array.from({ length: images.length }, (_, i) => images.sample(i).id),
    ['film-0.png', 'film-2.png#b', 'film-2.png#c'],
  );
  t.throws(() => images.sample(3), { code: 'ERR_INVALID_ARGUMENT' });
  t.same(images.sample(1).image, images.sample(2).image);
  t.end();
});

t.test('films that are called by DICOM ids, whose last number is no extension', (t) => {
  const ids = ['1.2.276.0.7230010.3.291189', '1.2.276.0.7230010.3.291190'];
  const replace = (sample: Sample, index: number) => ({ ...sample, id: ids[index] as string });
  const { images } = matchReadings(tinyDataset('film', 2, { replace }), [
    tinyReading(ids[1] as string, [[1, 1]]),
  ]);
  t.equal(images.length, 1);
  t.equal(images.sample(0).id, ids[1]);
  t.end();
});

t.test('what cannot be matched is told with names', (t) => {
  t.throws(() => matchReadings(films, [tinyReading('film-9', [[1, 1]])]), {
    code: 'ERR_DATASET',
    message: /first film is called film-0, the first recording is of film-9/,
  });
  const twice = tinyDataset('film', 2, { replace: (sample) => ({ ...sample, id: 'a/film.png' }) });
  t.throws(() => matchReadings(twice, [tinyReading('film', [[1, 1]])]), {
    code: 'ERR_DATASET',
    message: /film/,
  });
  t.end();
});

t.test('readings that look at nothing of the film are left out, together with their films', (t) => {
  const readings = [
    tinyReading('film-0', [[1, 1]]),
    tinyReading('film-1', [[-3, 5]]),
    { ...tinyReading('film-2', []), fixations: [{ x: 4, y: 4, start: 1, end: 1 }] },
    tinyReading('film-3', [[31, 31]]),
  ];
  const options = { branch: 'focal', windows: 'half-open' } as const;
  const { gaze, empty } = readableGaze({ images: films, readings }, options);
  t.equal(empty, 2);
  t.same(
    gaze.readings.map(({ image }, i) => [image, gaze.images.sample(i).id]),
    [
      ['film-0', 'film-0.png'],
      ['film-3', 'film-3.png'],
    ],
  );
  t.equal(firstReadings(gaze, 1).images.length, 1);
  t.equal(firstReadings(gaze, 9).images.length, 2);
  t.throws(() => subsetOf(films, [2]).sample(1), { code: 'ERR_INVALID_ARGUMENT' });
  t.end();
});

t.test('a mirrored reading changes left and right; a turned one goes round the centre', (t) => {
  const reading = {
    ...tinyReading('film-0', [[4, 8]]),
    chestBox: { xmin: 2, xmax: 20, ymin: 1, ymax: 30 },
  };
  const { chestBox: _, ...plain } = reading;
  const mirror = { flip: true, angle: 0 };
  t.match(moved(reading, mirror).fixations, [{ x: 28, y: 8, start: 0 }]);
  t.same(moved(moved(reading, mirror), mirror), plain, 'to the last bit, without the chest box');
  const [quarter] = moved(reading, { flip: false, angle: 90 }).fixations;
  t.match(
    [quarter?.x.toFixed(9), quarter?.y.toFixed(9)],
    ['8.000000000', '28.000000000'],
    'counter-clockwise',
  );
  t.end();
});

t.test('a film and its reading are varied by the same draw, whatever the shape of the film', async (t) => {
  const [width, height, size] = [96, 48, 64];
  // A bright patch on black, seen as long as it is dwelt upon.
  const places = Array.from({ length: 12 }, (_, i) => ({ x: 26 + 4 * i, y: 14 + 2 * (i % 8) }));
  const data = (index: number): Uint8Array => {
    const { x, y } = places[index] as (typeof places)[number];
    const isIn = (at: number): boolean =>
      Math.abs((at % width) + 0.5 - x) < 6 && Math.abs(Math.floor(at / width) + 0.5 - y) < 3;
    return Uint8Array.from({ length: width * height }, (_, at) => (isIn(at) ? 255 : 0));
  };
  const replace = (sample: Sample, index: number): Sample => {
    const pixels = () => ({ width, height, channels: 1 as const, data: data(index) });
    return { ...sample, image: { kind: 'pixels', name: sample.id, pixels } };
  };
  const dataset = tinyDataset('film', places.length, { replace });
  using images = await prepareImages(dataset, { width: size, height: size });
  const sampler = new SequentialSampler({ length: places.length });
  const variation = { seed: 3, flipProbability: 0.5, maxAngle: 30 };
  const loader = new DataLoader({ images, sampler, batchSize: places.length, augmentation: variation });
  const readings = places.map(({ x, y }, i) => ({ ...tinyReading(`film-${i}`, [[x, y]]), width, height }));
  for (const epoch of [1, 2]) {
    const chosen = readingsOf({ indices: Int32Array.from(places.keys()), epoch }, readings, variation);
    for await (using batch of loader.batches(epoch)) {
      const pixels = (await batch.pixels.data()) as Uint8Array;
      for (const [i, { fixations }] of chosen.entries()) {
        const centre = centreOf(pixels.subarray(i * size * size, (i + 1) * size * size), size);
        const { x, y } = fixations[0] as { x: number; y: number };
        const [dx, dy] = [centre.x - (x / width) * size, centre.y - (y / height) * size];
        t.ok(Math.hypot(dx, dy) < 0.5, `epoch ${epoch}, film ${i}: ${dx.toFixed(2)}, ${dy.toFixed(2)}`);
      }
    }
  }
  const still = readingsOf({ indices: Int32Array.from(places.keys()), epoch: 1 }, readings, null);
  t.same(still, readings);
});

/** The centre of brightness of a square image, in pixels from its upper left corner. */
function centreOf(pixels: Uint8Array, size: number): { readonly x: number; readonly y: number } {
  let [sum, x, y] = [0, 0, 0];
  for (const [at, value] of pixels.entries()) {
    sum += value;
    x += value * ((at % size) + 0.5);
    y += value * (Math.floor(at / size) + 0.5);
  }
  return { x: x / sum, y: y / sum };
}

t.test('phantoms bring their own readings', async (t) => {
  const { train } = phantomSplits({ seed: 3, size: 64, train: 9 });
  const done: number[] = [];
  const { images, readings } = await phantomGaze(train, (n) => done.push(n));
  t.equal(images, train);
  t.equal(readings.length, 9);
  t.same(readings[4]?.fixations, train.phantom(4).fixations);
  t.match(readings[4], { image: train.sample(4).id, width: 64, height: 64 });
  t.same(done, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

t.test('a share of the patients validates, with all their readings', (t) => {
  const replace = (sample: Sample, index: number) => ({ ...sample, patient: `p${index >> 1}` });
  const dataset = tinyDataset('film', 20, { replace });
  const readings = Array.from({ length: 20 }, (_, i) => ['a', 'b'].map((id) => ({ id, film: `film-${i}` })));
  const gaze = matchReadings(
    dataset,
    readings.flat().map(({ id, film }) => ({ ...tinyReading(film, [[1, 1]]), id })),
  );
  const { train, validation } = splitReadings(gaze, { validation: 0.3, seed: 2 });
  t.equal(validation.readings.length, 12);
  t.equal(train.readings.length, 28);
  for (const half of [train, validation])
    half.readings.forEach(({ image, id }, i) => {
      t.equal(half.images.sample(i).id, `${image}.png#${id}`, 'films and readings stay in step');
    });
  const patients = ({ images }: { images: Dataset }) =>
    new Set(Array.from({ length: images.length }, (_, i) => images.sample(i).patient));
  t.equal(patients(train).size + patients(validation).size, 10);
  t.throws(() => splitReadings(gaze, { validation: 0.01 }), { code: 'ERR_DATASET', message: /10 patients/ });
  t.throws(() => splitReadings(gaze, { validation: 1 }), { code: 'ERR_INVALID_ARGUMENT' });
  t.end();
});
