import t from 'tap';
import { publishedFigures, publishedRows } from '../../lib/systems/gazelt/published.js';

// Classes of head, medium and tail.
const sizes = { 'nih-cxr-lt': [7, 9, 4], 'mimic-cxr-lt': [10, 6, 3] } as const;

t.test('each published average is the mean that it is said to be', async (t) => {
  t.equal(publishedRows.length, 18);
  for (const dataset of ['nih-cxr-lt', 'mimic-cxr-lt'] as const) {
    const [head, medium, tail] = sizes[dataset];
    for (const row of publishedRows) {
      const figures = publishedFigures(row, dataset);
      const groups = (figures.head + figures.medium + figures.tail) / 3;
      const classes =
        (figures.head * head + figures.medium * medium + figures.tail * tail) / (head + medium + tail);
      // Four rounded numbers.
      const is = (mean: number) => Math.abs(mean - figures.average) < 0.0011;
      const what = `${row} on ${dataset}: ${figures.average}, groups ${groups}, classes ${classes}`;
      if (figures.averageOf === 'groups') t.ok(is(groups), what);
      else if (figures.averageOf === 'classes') t.ok(is(classes), what);
      else t.notOk(is(groups) || is(classes), what);
    }
  }
});

t.test('figures that the text of the paper names', async (t) => {
  t.match(publishedFigures('gazelt', 'nih-cxr-lt'), { tail: 0.417, average: 0.41, balancedAccuracy: 0.315 });
  t.match(publishedFigures('crt', 'mimic-cxr-lt'), { average: 0.387, balancedAccuracy: 0.296 });
});
