import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import t from 'tap';
import { evaluatePredictions } from '../../lib/metrics/evaluate.js';
import { type Comparison, figuresOf } from '../../lib/report/comparison/table.js';
import { comparisonMarkdown, writeComparison } from '../../lib/report/comparison/write.js';
import { publishedFigures } from '../../lib/systems/gazelt/published.js';

const classes = ['a', 'b', 'c', 'd'];

/** Predictions that are right for the first `right` of three images a class. */
function metricsOf(right: readonly number[], bootstrap: boolean) {
  const labels = Int32Array.from(classes.flatMap((_, k) => [k, k, k]));
  const probabilities = new Float32Array(labels.length * classes.length).fill(0.1);
  labels.forEach((label, i) => {
    const predicted = i % 3 < (right[label] as number) ? label : (label + 1) % classes.length;
    probabilities[i * classes.length + predicted] = 0.7;
  });
  return evaluatePredictions({
    ...{ probabilities, labels, classes, trainCounts: [2000, 1500, 500, 20] },
    ...(bootstrap ? { bootstrap: { resamples: 20 } } : {}),
  });
}

const figures = figuresOf(metricsOf([3, 2, 1, 0], true), metricsOf([0, 0, 0, 3], false));

const comparison: Comparison = {
  title: 'Table <of> films',
  description: ['Four classes.'],
  notices: ['Phantoms.'],
  date: '2026-01-01',
  options: { command: 'reproduce gazelt' },
  rows: [
    {
      ...{ name: 'softmax', title: 'Softmax', status: 'done', note: null, figures },
      published: publishedFigures('softmax', 'nih-cxr-lt'),
    },
    {
      ...{ name: 'gazeradar', title: 'GazeRadar', status: 'needs-features', figures: null },
      note: 'needs features: a, b | "c"',
      published: publishedFigures('gazeradar', 'nih-cxr-lt'),
    },
    {
      ...{ name: 'gazelt', title: 'GazeLT', status: 'failed', note: '<b>no</b>', figures: null },
      published: publishedFigures('gazelt', 'nih-cxr-lt'),
    },
  ],
};

t.test('figures of a row come from both splits', async (t) => {
  const near = (found: number | null | undefined, expected: number) =>
    t.ok(Math.abs((found as number) - expected) < 1e-12, `${found}, ${expected}`);
  near(figures.head.value, (1 + 2 / 3) / 2);
  near(figures.medium.value, 1 / 3);
  near(figures.tail.value, 0);
  near(figures.averageOfGroups.value, ((1 + 2 / 3) / 2 + 1 / 3) / 3);
  near(figures.averageOfClasses.value, (1 + 2 / 3 + 1 / 3) / 4);
  near(figures.balancedAccuracy.value, 0.25);
  t.ok(figures.head.interval && figures.averageOfClasses.interval);
  t.equal(figures.balancedAccuracy.interval, null);
});

t.test('the table as CSV, markdown and HTML', async (t) => {
  const folder = t.testdir();
  const [html, csv, markdown] = await Promise.all(
    (await writeComparison(folder, comparison)).map((file) => readFile(file, 'utf8')),
  );
  const rows = parse(csv as string, { columns: true }) as Record<string, string>[];
  t.same(
    rows.map(({ row, status }) => [row, status]),
    [
      ['softmax', 'done'],
      ['gazeradar', 'needs-features'],
      ['gazelt', 'failed'],
    ],
  );
  t.match(rows[0], {
    head_published: '0.419',
    average_of_groups_published: '0.164',
    average_of_classes_published: '',
    balanced_accuracy: '0.25',
    balanced_accuracy_low: '',
  });
  t.equal(rows[1]?.head, '', 'a row without features has no figures of another');
  t.match(rows[2], { average_of_groups_published: '', average_of_classes_published: '0.41' });

  t.match(markdown, /\| Softmax \| 0\.833 \[.*\] \/ 0\.419 \|/);
  t.match(markdown, /\| GazeRadar \| – \/ 0\.390 .* \/ 0\.187\* \|/);
  t.match(markdown, /^- GazeRadar: needs features/m);
  t.match(markdown, /Not for clinical use/);
  const lines = (markdown as string).split('\n').filter((line) => line.startsWith('|'));
  t.ok(
    lines.every((line) => line.split(/(?<!\\)\|/).length === 9),
    'every line has all cells',
  );

  t.match(html, /Table &lt;of&gt; films/);
  t.match(html, /&lt;b&gt;no&lt;\/b&gt;/);
  t.notMatch(html, /<b>no/);
  t.match(html, /published 0\.419/);
  const without = { ...comparison, rows: comparison.rows.map((row) => ({ ...row, published: null })) };
  t.notMatch(comparisonMarkdown(without), /published/);
});
