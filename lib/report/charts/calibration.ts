import type { Calibration } from '../../metrics/types.js';
import type { ChartSpec } from './render.js';
import type { ChartTheme } from './theme.js';

/** Reliability diagram: how often predictions of a given confidence are right, and how many there are of each. */
export function reliabilityChart(calibration: Calibration, theme: ChartTheme): ChartSpec {
  const values = calibration.bins.flatMap((bin) => (bin.count > 0 ? [bin] : []));
  const x = { type: 'quantitative', scale: { domain: [0, 1] } };
  const y = { type: 'quantitative', scale: { domain: [0, 1] } };
  return {
    data: { values },
    vconcat: [
      {
        width: 260,
        height: 260,
        layer: [
          {
            mark: { type: 'rect', fill: theme.accent, fillOpacity: 0.75 },
            encoding: {
              x: { field: 'lower', ...x, title: null, axis: { labels: false, ticks: false, tickCount: 5 } },
              x2: { field: 'upper' },
              y: {
                field: 'accuracy',
                ...y,
                title: 'Share that is right',
                axis: { format: '.0%', tickCount: 5 },
              },
              y2: { datum: 0 },
            },
          },
          {
            data: { values: [{ from: 0, to: 1 }] },
            mark: { type: 'rule', color: theme.text, strokeDash: [4, 3] },
            encoding: {
              x: { field: 'from', ...x },
              x2: { field: 'to' },
              y: { field: 'from', ...y },
              y2: { field: 'to' },
            },
          },
          {
            mark: { type: 'point', filled: true, color: theme.contrast, size: 36, opacity: 1 },
            encoding: { x: { field: 'confidence', ...x }, y: { field: 'accuracy', ...y } },
          },
        ],
      },
      {
        width: 260,
        height: 60,
        mark: { type: 'rect', fill: theme.muted, fillOpacity: 0.6 },
        encoding: {
          x: {
            field: 'lower',
            ...x,
            title: 'Confidence (top probability)',
            axis: { format: '.0%', tickCount: 5 },
          },
          x2: { field: 'upper' },
          y: { field: 'count', type: 'quantitative', title: 'Images', axis: { tickCount: 2 } },
          y2: { datum: 0 },
        },
      },
    ],
    spacing: 8,
  };
}
