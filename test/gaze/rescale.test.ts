import t from 'tap';
import type { GazeTable, Reading } from '../../lib/gaze/reading.js';
import { rescaleToFilms, withoutUnsized } from '../../lib/gaze/rescale.js';

const fraction: Reading = {
  ...{ id: 'r1', image: 'a', width: 1, height: 1, stamp: 'end' },
  fixations: [{ x: 0.5, y: 0.25, start: 1, end: 2 }],
};
const shown: Reading = {
  ...{ id: 'r2', image: 'b', width: 960, height: 1080 },
  chestBox: { xmin: 96, ymin: 108, xmax: 960, ymax: 1080 },
  fixations: [{ x: 480, y: 1080, start: 0, end: 3 }],
};
const again = { ...fraction, id: 'r3' };
const strange = { ...fraction, id: 'r4', image: 'c' };
const table: GazeTable = {
  ...{ name: 'gaze', readings: [fraction, shown, again, strange] },
  ...{ filtered: { offFilm: 2, unknownFilm: 5 }, unknownFilms: ['z'], rows: 11 },
};
const sizes = new Map([
  ['a', { width: 200, height: 100 }],
  ['b', { width: 96, height: 108 }],
]);

t.test('readings in pixels of their films', async (t) => {
  const asked: string[] = [];
  const films = async (image: string) => {
    asked.push(image);
    return sizes.get(image);
  };
  const { readings, ...rest } = await rescaleToFilms(table, films);
  t.strictSame(asked, ['a', 'b', 'c'], 'once each');
  t.match(rest, { name: 'gaze', rows: 11, filtered: { offFilm: 2 } });
  const [first, second, third, fourth] = readings;
  const places = [{ x: 100, y: 25, start: 1, end: 2 }];
  t.strictSame({ ...first }, { ...fraction, width: 200, height: 100, fixations: places });
  t.equal(first?.fixations, first?.fixations, 'made once while somebody holds them');
  t.match(second, { width: 96, height: 108, fixations: [{ x: 48, y: 108, start: 0, end: 3 }] });
  t.strictSame(second?.chestBox, { xmin: 9.6, ymin: 10.8, xmax: 96, ymax: 108 });
  t.match(third, { id: 'r3', fixations: places });
  t.equal(fourth, strange, 'as it was');
  const signal = AbortSignal.abort();
  await t.rejects(rescaleToFilms(table, films, { signal }), { code: 'ERR_ABORTED' });
});

t.test('readings without a size are left out and counted, unless there are no others', (t) => {
  const left = withoutUnsized({ ...table, readings: [shown, strange, { ...strange, id: 'r5' }] });
  t.same(left.readings, [shown]);
  t.match(left, { filtered: { offFilm: 2, unknownFilm: 7 }, unknownFilms: ['z', 'c'] });
  const whole = { ...table, readings: [shown] };
  t.equal(withoutUnsized(whole), whole);
  t.throws(() => withoutUnsized({ ...table, readings: [strange] }), {
    code: 'ERR_DATASET',
    message: "gaze: the size of its only film is not known: 'c'",
  });
  t.end();
});
