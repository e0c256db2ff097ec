import type { GroupName, Interval, Metrics } from '../../metrics/types.js';
import { groupNames } from '../../metrics/types.js';
import { displayNames } from './names.js';
import type { ChartSpec } from './render.js';
import type { ChartTheme } from './theme.js';

/** Bars of one class each, coloured by group where there are groups. */
function groupColor(metrics: Metrics, theme: ChartTheme): Record<string, unknown> {
  if (metrics.longTail === null) return { value: theme.accent };
  return {
    field: 'group',
    type: 'nominal',
    title: null,
    scale: { domain: groupNames, range: groupNames.map((name) => theme.groups[name]) },
    legend: { orient: 'top', direction: 'horizontal', offset: 6, symbolOpacity: 1 },
  };
}

function classAxis(names: readonly string[]): Record<string, unknown> {
  return {
    field: 'name',
    type: 'nominal',
    title: null,
    scale: { domain: names, padding: 0.25 },
    axis: { domain: false, ticks: false, labelPadding: 6, grid: false },
  };
}

/** How frequent each class is in training, on a logarithmic scale, coloured by group. */
export function longTailChart(metrics: Metrics, theme: ChartTheme): ChartSpec {
  const names = displayNames(metrics.classes);
  const values = metrics.perClass.map((c, k) => ({
    name: names[k],
    // On a logarithmic axis a bar begins at 1; a class without images has none.
    count: Math.max(1, c.trainCount ?? 0),
    label: (c.trainCount ?? 0).toLocaleString('en-US'),
    group: c.group,
  }));
  const most = Math.max(10, ...values.map((row) => row.count));
  const x = {
    field: 'count',
    type: 'quantitative',
    title: 'Training images (logarithmic)',
    // Room for the number behind the longest bar.
    scale: { type: 'log', domain: [1, most * 2.5], nice: false },
  };
  return {
    width: 300,
    height: { step: 19 },
    data: { values },
    encoding: { y: classAxis(names) },
    layer: [
      {
        mark: { type: 'bar', cornerRadiusEnd: 2 },
        encoding: {
          x: { ...x, axis: { tickCount: 4, format: '~s', domain: false } },
          x2: { datum: 1 },
          color: groupColor(metrics, theme),
        },
      },
      {
        mark: { type: 'text', align: 'left', dx: 4, fontSize: 10, color: theme.muted },
        encoding: { x, text: { field: 'label', type: 'nominal' } },
      },
    ],
  };
}

interface AccuracyRow {
  readonly name: string | undefined;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly group: GroupName | null;
}

/** Accuracy of each class with its interval, next to the accuracy of a guess. */
export function classAccuracyChart(metrics: Metrics, theme: ChartTheme): ChartSpec {
  const names = displayNames(metrics.classes);
  const values = metrics.perClass.flatMap((c, k): AccuracyRow[] => {
    if (c.accuracy === null) return [];
    const interval: Interval = metrics.intervals?.perClass[k]?.accuracy ?? {
      low: c.accuracy,
      high: c.accuracy,
    };
    return [{ name: names[k], value: c.accuracy, ...interval, group: c.group }];
  });
  const x = { type: 'quantitative', title: 'Accuracy of the class', scale: { domain: [0, 1] } };
  const color = groupColor(metrics, theme);
  return {
    width: 300,
    height: { step: 19 },
    data: { values },
    encoding: { y: classAxis(names) },
    layer: [
      {
        data: { values: [{ chance: metrics.chance }] },
        mark: { type: 'rule', color: theme.muted, strokeDash: [3, 3] },
        encoding: { x: { field: 'chance', ...x }, y: { value: 0 }, y2: { value: 'height' } },
      },
      {
        mark: { type: 'rule', strokeWidth: 2, opacity: 0.55 },
        encoding: { x: { field: 'low', ...x }, x2: { field: 'high' }, color },
      },
      {
        mark: { type: 'point', filled: true, size: 55, opacity: 1 },
        encoding: { x: { field: 'value', ...x, axis: { format: '.0%', tickCount: 5 } }, color },
      },
    ],
  };
}
