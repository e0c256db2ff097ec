import type { RocCurve } from '../../metrics/roc.js';
import type { GroupName } from '../../metrics/types.js';
import { displayNames } from './names.js';
import type { ChartSpec } from './render.js';
import type { ChartTheme } from './theme.js';

/** The rows of one curve; without a band its ends lie on the curve. */
function curveRows(curve: RocCurve, more: Record<string, unknown> = {}): Record<string, unknown>[] {
  return curve.fpr.map((fpr, g) => ({
    ...more,
    fpr,
    tpr: curve.tpr[g],
    low: curve.band?.low[g] ?? curve.tpr[g],
    high: curve.band?.high[g] ?? curve.tpr[g],
  }));
}

/** Band, diagonal and curve of one panel. */
function rocLayers(theme: ChartTheme, color: unknown, titles: boolean): Record<string, unknown>[] {
  const axis = { values: [0, 0.5, 1], format: '~p', grid: true };
  const scale = { domain: [0, 1] };
  const title = (text: string) => (titles ? text : null);
  const x = { field: 'fpr', type: 'quantitative', title: title('False-positive rate'), scale, axis };
  const y = { type: 'quantitative', title: title('True-positive rate'), scale, axis };
  return [
    {
      mark: { type: 'area', opacity: 0.22 },
      encoding: { x, y: { field: 'low', ...y }, y2: { field: 'high' }, color },
    },
    {
      mark: { type: 'line', color: theme.muted, strokeDash: [3, 3], strokeWidth: 1 },
      encoding: { x, y: { field: 'fpr', ...y } },
    },
    { mark: { type: 'line', strokeWidth: 1.8 }, encoding: { x, y: { field: 'tpr', ...y }, color } },
  ];
}

/** One ROC curve with its band, such as the average of all classes. */
export function rocPanel(curve: RocCurve, theme: ChartTheme): ChartSpec {
  return {
    width: 260,
    height: 260,
    data: { values: curveRows(curve) },
    layer: rocLayers(theme, { value: theme.accent }, true),
  };
}

/**
 * ROC curves as small multiples, one panel a class with its bootstrap band: twenty curves in one panel would hide one
 * another.
 *
 * @param curves of the classes; the average is left out
 * @param groups long-tail group of each class, by class index, for the colours
 */
export function rocChart(
  curves: readonly RocCurve[],
  groups: readonly (GroupName | null)[],
  theme: ChartTheme,
  options: { readonly columns?: number; readonly size?: number } = {},
): ChartSpec {
  const shown = curves.filter((curve) => curve.index !== null);
  const panels = displayNames(shown.map((curve) => curve.name));
  const colors = shown.map((curve) => {
    const group = groups[curve.index as number] ?? null;
    return group === null ? theme.accent : theme.groups[group];
  });
  const size = options.size ?? 124;
  const columns = options.columns ?? balancedColumns(shown.length);
  const color = { field: 'panel', type: 'nominal', scale: { domain: panels, range: colors }, legend: null };
  return {
    data: {
      values: shown.flatMap((curve, c) =>
        curveRows(curve, { panel: panels[c], order: c, area: curve.auroc.toFixed(3) }),
      ),
    },
    columns,
    // A shared axis would stand under the columns that the last row does not reach, too.
    ...(shown.length % columns === 0 ? {} : { resolve: { axis: { x: 'independent' } } }),
    spacing: { row: 14, column: 16 },
    facet: {
      field: 'panel',
      type: 'nominal',
      title: null,
      sort: { field: 'order', op: 'min' },
      header: { labelAnchor: 'start', labelFontSize: 10.5, labelPadding: 4, labelLimit: size + 10 },
    },
    spec: {
      width: size,
      height: size,
      layer: [
        ...rocLayers(theme, color, false),
        {
          transform: [{ filter: 'datum.fpr === 0' }],
          mark: {
            type: 'text',
            align: 'right',
            baseline: 'bottom',
            dx: -4,
            dy: -4,
            fontSize: 11,
            color: theme.text,
          },
          encoding: {
            x: { datum: 1, type: 'quantitative' },
            y: { datum: 0, type: 'quantitative' },
            text: { field: 'area', type: 'nominal' },
          },
        },
      ],
    },
  };
}

/** Four to six columns, whichever leaves the last row fullest. */
function balancedColumns(panels: number): number {
  if (panels <= 5) return Math.max(1, panels);
  const empty = (columns: number) => (columns - (panels % columns)) % columns;
  return [5, 6, 4].reduce((best, columns) => (empty(columns) < empty(best) ? columns : best));
}
