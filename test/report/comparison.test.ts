import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import t from 'tap';
import { evaluatePredictions } from '../../lib/metrics/evaluate.js';
import {
  longTailedColumns,
  longTailedFigures,
  publishedLongTailed,
  unclearAverage,
} from '../../lib/report/comparison/long-tailed.js';
import type { Comparison } from '../../lib/report/comparison/table.js';
import { comparisonHtml, comparisonMarkdown, writeComparison } from '../../lib/report/comparison/write.js';
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

const figures = longTailedFigures(metricsOf([3, 2, 1, 0], true), metricsOf([0, 0, 0, 3], false));

const comparison: Comparison = {
  title: 'Table <of> films',
  description: ['Four classes.'],
  notices: ['Phantoms.'],
  date: '2026-01-01',
  options: { command: 'reproduce gazelt' },
  columns: longTailedColumns,
  mark: unclearAverage,
  rows: [
    {
      ...{ name: 'softmax', title: 'Softmax', status: 'done', note: null, figures },
      published: publishedLongTailed(publishedFigures('softmax', 'nih-cxr-lt')),
    },
    {
      ...{ name: 'gazeradar', title: 'GazeRadar', status: 'needs-features', figures: null },
      note: 'needs features: a, b | "c"',
      published: publishedLongTailed(publishedFigures('gazeradar', 'nih-cxr-lt')),
    },
    {
      ...{ name: 'gazelt', title: 'GazeLT', status: 'failed', note: '<b>no</b>', figures: null },
      published: publishedLongTailed(publishedFigures('gazelt', 'nih-cxr-lt')),
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

  const rows2 = comparison.rows.slice(0, 2);
  const drawn = (...units: readonly ('patient' | 'image' | null)[]) => {
    const of = { ...comparison, rows: rows2.map((row, i) => ({ ...row, resampled: units[i] ?? null })) };
    const caption = /<caption>[^<]*/.exec(comparisonHtml(of))?.[0];
    t.equal(
      /95 % interval, ([^\]]*)\]/.exec(comparisonMarkdown(of))?.[1],
      /\((.*)\)/.exec(caption ?? '')?.[1],
    );
    return caption;
  };
  t.match(drawn('patient'), /bootstrap interval \(patients resampled\), the lowest/);
  t.match(drawn('image', null), /\(images resampled, as patients are not known\)/);
  t.match(drawn('image', 'patient'), /\(patients resampled where they are known, else images\)/);
  t.match(drawn(null), /Small: the lowest and highest seed/);
});

t.test('columns in groups, seeds, and a published figure for some columns only', async (t) => {
  const figure = (value: number) => ({
    value,
    interval: { low: value - 0.1, high: value + 0.1 },
    range: { low: value - 0.02, high: value + 0.03 },
  });
  const names = ['acc', 'f1', 'auc', 'sens', 'spec'];
  const grouped: Comparison = {
    ...{ title: 'Grouped', description: [], notices: ['Read this first.'], date: '', options: {} },
    columns: names.flatMap((name) => [
      { name, title: 'chosen on validation', group: name.toUpperCase() },
      { name: `${name}BestOnTest`, title: 'best on test, as published', group: name.toUpperCase() },
    ]),
    rows: [
      {
        ...{ name: 'pvt', title: 'PVT', status: 'done', note: 't 0.3' },
        figures: Object.fromEntries(
          names.flatMap((name) => [
            [name, figure(0.5)],
            [`${name}BestOnTest`, figure(0.6)],
          ]),
        ),
        published: { accBestOnTest: { value: 0.817 } },
      },
    ],
  };
  const folder = t.testdir();
  const [html, csv, markdown] = await Promise.all(
    (await writeComparison(folder, grouped)).map((file) => readFile(file, 'utf8')),
  );
  t.match(parse(csv as string, { columns: true })[0], {
    ...{ acc: '0.5', acc_low: '0.4', acc_seeds_low: '0.48', acc_seeds_high: '0.53', acc_published: '' },
    ...{ acc_best_on_test: '0.6', acc_best_on_test_published: '0.817', note: 't 0.3' },
  });
  t.match(markdown, /\| Method \| ACC: chosen on validation \| ACC: best on test, as published \|/);
  t.match(
    markdown,
    /\| PVT \| 0\.500 \[0\.400, 0\.600\] \(0\.480 to 0\.530\) \| 0\.600 .* \/ 0\.817 \| 0\.500/,
  );
  const heads = (markdown as string).split('\n').filter((line) => line.startsWith('| Method'));
  t.strictSame(
    heads.map((line) => line.split(' | ').length - 1),
    [8, 2],
    'a wide table is cut between groups',
  );
  t.ok((markdown as string).indexOf('Read this first') < (markdown as string).indexOf('| Method'));
  t.match(html, /<th scope="colgroup" colspan="2">ACC<\/th>/);
  t.match(html, /seeds 0\.480 – 0\.530/);
  t.match(html, /published 0\.817/);
});
