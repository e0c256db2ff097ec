import sharp from 'sharp';
import { evaluatePredictions } from '../../lib/metrics/evaluate.js';
import { rocCurves } from '../../lib/metrics/roc.js';
import type { HistoryRow } from '../../lib/report/history.js';
import type { ReportData } from '../../lib/report/report-data.js';
import { madeUp } from '../metrics/support.js';

/** A training that learns. */
export function madeUpHistory(epochs: number): HistoryRow[] {
  return Array.from({ length: epochs }, (_, i) => i + 1).flatMap((epoch) =>
    (['train', 'val'] as const).map((phase) => ({
      epoch,
      phase,
      loss: 3 / epoch + (phase === 'val' ? 0.2 : 0),
      balancedAccuracy: 1 - 1 / (epoch + 1),
      mcc: 0.5,
      auroc: epoch === 1 ? null : 0.8,
    })),
  );
}

/** A report about made-up predictions with these class names. */
export async function madeUpReport(
  classes: readonly string[],
  change: Partial<ReportData> = {},
): Promise<ReportData> {
  const predictions = { ...madeUp(150, classes.length, 1.5).flat, classes };
  const patients = Array.from(predictions.labels, (_, i) => i >> 1);
  const bootstrap = { resamples: 20 };
  const trainCounts = classes.map((_, k) => 4000 >> (2 * k));
  const picture = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#888' } })
    .png()
    .toBuffer();
  const first = classes[0] as string;
  return {
    title: 'made-up run',
    date: '1 January 2026',
    facts: [{ name: 'Precision', value: 'float32' }],
    options: {
      loss: 'ldam',
      kd_shares: [0.5, 0.5],
      group_thresholds: { head: 1000, tail: 100 },
      weights: null,
    },
    notices: [{ code: 'distillation-off', message: 'Distillation was off: no teachers.' }],
    history: madeUpHistory(4),
    bestEpoch: 3,
    evaluations: [
      {
        split: 'balanced-test',
        metrics: evaluatePredictions({ ...predictions, patients, trainCounts, bootstrap }),
        roc: rocCurves({ ...predictions, patients, bootstrap, points: 11 }),
      },
    ],
    gallery: [
      {
        id: 'a.png',
        image: picture,
        overlay: picture,
        truth: first,
        predicted: first,
        probability: 0.9,
        group: 'head',
      },
      {
        id: 'b.png',
        image: picture,
        overlay: picture,
        truth: null,
        predicted: first,
        probability: 0.4,
        explained: 'other',
      },
    ],
    ...change,
  };
}
