import { textWidth } from '../text-outlines.js';
import { displayNames } from './names.js';
import type { ChartSpec } from './render.js';
import type { ChartTheme } from './theme.js';

/** What the cells of a confusion matrix say. */
export type ConfusionValues = 'counts' | 'fractions';

/**
 * A confusion matrix as a heat map, rows truth, columns prediction. The colour is always the share of the row, so that
 * a rare class is as visible as a frequent one; the text is the count or the share.
 */
export function confusionChart(
  matrix: readonly (readonly number[])[],
  classes: readonly string[],
  values: ConfusionValues,
  theme: ChartTheme,
  options: { readonly title?: string; readonly cell?: number } = {},
): ChartSpec {
  const names = displayNames(classes);
  const cells = matrix.flatMap((row, t) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((count, p) => {
      const share = total > 0 ? count / total : 0;
      return { truth: names[t], prediction: names[p], share, label: cellLabel(count, share, values) };
    });
  });
  const cell = options.cell ?? 30;
  const fontSize = labelSize(
    cell,
    cells.map(({ label }) => label),
  );
  const size = Math.max(160, cell * classes.length);
  const axis = { domain: false, ticks: false, labelPadding: 6 };
  return {
    width: size,
    height: size,
    ...(options.title === undefined ? {} : { title: options.title }),
    data: { values: cells },
    encoding: {
      x: {
        field: 'prediction',
        type: 'nominal',
        title: 'Predicted',
        scale: { domain: names, padding: 0.04 },
        axis: { ...axis, orient: 'bottom', labelAngle: -45, labelAlign: 'right', labelBaseline: 'middle' },
      },
      y: {
        field: 'truth',
        type: 'nominal',
        title: 'True',
        scale: { domain: names, padding: 0.04 },
        axis: { ...axis, titlePadding: 12 },
      },
    },
    layer: [
      { mark: { type: 'rect', fill: theme.grid, fillOpacity: 0.45 } },
      {
        mark: { type: 'rect', fill: theme.accent },
        encoding: {
          fillOpacity: {
            field: 'share',
            type: 'quantitative',
            scale: { domain: [0, 1], range: [0, 1] },
            legend: null,
          },
        },
      },
      ...(fontSize === null
        ? []
        : [
            {
              mark: { type: 'text', fontSize },
              encoding: {
                text: { field: 'label', type: 'nominal' },
                color: { condition: { test: 'datum.share > 0.5', value: theme.onAccent }, value: theme.text },
              },
            },
          ]),
    ],
  };
}

/** Empty cells stay empty: the pattern is what is looked for. */
function cellLabel(count: number, share: number, values: ConfusionValues): string {
  if (count === 0) return '';
  return values === 'counts' ? String(count) : share.toFixed(2).replace(/^0/, '');
}

/** The size at which the longest label fits a cell; `null` where nobody could read it. */
function labelSize(cell: number, labels: readonly string[]): number | null {
  const widest = Math.max(...labels.map((label) => textWidth(label, 1)), 0.6);
  const size = Math.min(10, (cell - 4) / widest);
  return size < 5 ? null : size;
}
