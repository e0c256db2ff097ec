import type { Phase } from '../history.js';
import type { ChartSpec } from './render.js';
import type { ChartTheme } from './theme.js';

/** The columns of the history that are drawn. */
export type CurveName = 'loss' | 'balancedAccuracy' | 'auroc';

/** What the axis of each says. */
export const curveTitles: Readonly<Record<CurveName, string>> = {
  loss: 'Loss',
  balancedAccuracy: 'Balanced accuracy',
  auroc: 'Mean AUROC',
};

const phaseNames = { train: 'training', val: 'validation' } as const;

/** A learning curve: training and validation by epoch, and where the kept weights come from. */
export function learningCurve<Curve extends CurveName>(
  history: readonly ({ readonly epoch: number; readonly phase: Phase } & Readonly<
    Record<Curve, number | null>
  >)[],
  curve: Curve,
  theme: ChartTheme,
  options: { readonly bestEpoch?: number | null; readonly width?: number; readonly height?: number } = {},
): ChartSpec {
  const values = history.flatMap((row) => {
    const value: number | null = row[curve];
    return value === null ? [] : [{ epoch: row.epoch, phase: phaseNames[row.phase], value }];
  });
  const best = values.find((row) => row.epoch === options.bestEpoch && row.phase === 'validation');
  const epochs = new Set(values.map((row) => row.epoch)).size;
  const x = { field: 'epoch', type: 'quantitative', title: 'Epoch' };
  return {
    width: options.width ?? 270,
    height: options.height ?? 190,
    title: curveTitles[curve],
    data: { values },
    encoding: {
      x: {
        ...x,
        scale: { nice: false, zero: false },
        axis: { grid: false, tickMinStep: 1, tickCount: Math.min(10, epochs), format: 'd' },
      },
      y: {
        field: 'value',
        type: 'quantitative',
        title: null,
        scale: { zero: curve === 'balancedAccuracy', nice: true },
        axis: { tickCount: 5 },
      },
      color: {
        field: 'phase',
        type: 'nominal',
        title: null,
        scale: { domain: ['training', 'validation'], range: [theme.contrast, theme.accent] },
        legend: { orient: 'bottom', direction: 'horizontal', offset: 4 },
      },
    },
    layer: [
      ...(best === undefined
        ? []
        : [
            {
              data: { values: [best] },
              mark: { type: 'rule', color: theme.muted, strokeDash: [3, 3], opacity: 0.7 },
              encoding: { x, y: { value: 0 }, y2: { value: 'height' }, color: { value: theme.muted } },
            },
          ]),
      { mark: { type: 'line', strokeWidth: 2, point: epochs <= 40 ? { size: 24, filled: true } : false } },
    ],
  };
}
