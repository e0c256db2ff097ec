import type { ClassMetrics, Metrics } from '../../metrics/types.js';
import { reliabilityChart } from '../charts/calibration.js';
import { classAccuracyChart, longTailChart } from '../charts/classes.js';
import { confusionChart } from '../charts/confusion.js';
import { curveTitles, learningCurve } from '../charts/curves.js';
import { rocChart, rocPanel } from '../charts/roc.js';
import { pageTheme } from '../charts/theme.js';
import type { GalleryItem, OptionValue, ReportData, ReportEvaluation } from '../report-data.js';
import { dataUri, figure } from './figures.js';
import { count, decimal, decimalRange, percent, percentRange } from './format.js';
import type { Content, Markup } from './markup.js';
import { html, trusted } from './markup.js';
import { headlineTiles, range } from './overview.js';

/** Loss, balanced accuracy and AUROC by epoch. */
export async function learningCurves({ history, bestEpoch }: ReportData): Promise<Markup> {
  const epochs = new Set(history.map((row) => row.epoch)).size;
  const best =
    bestEpoch === null ? '' : ` The dashed line marks epoch ${bestEpoch}, whose weights were kept.`;
  const charts = [];
  for (const curve of ['loss', 'balancedAccuracy', 'auroc'] as const) {
    const caption = `${curveTitles[curve]} of training and validation over ${epochs} epochs.${best}`;
    charts.push(
      html`<div class="card">${await figure(learningCurve(history, curve, pageTheme, { bestEpoch }), caption)}</div>`,
    );
  }
  return html`<div class="row">${charts}</div>`;
}

/** The numbers and charts of one split. */
export async function evaluationSection(evaluation: ReportEvaluation): Promise<Markup> {
  const { metrics, roc, description } = evaluation;
  const macro = roc.find((curve) => curve.index === null);
  const groups = metrics.perClass.map((c) => c.group);
  const bands = roc.some((curve) => curve.band !== null) ? `, with ${level(metrics)} bootstrap bands` : '';
  return html`${description && html`<p class="lead">${description}</p>`}
${headlineTiles(evaluation)}
<div class="row">
<div class="card"><h3>Accuracy of each class</h3>${await figure(
    classAccuracyChart(metrics, pageTheme),
    `Share of each class that was recognised${metrics.intervals === null ? '' : `, with ${level(metrics)} intervals`}. The dashed line is chance.`,
  )}</div>
${
  metrics.perClass.some((c) => c.trainCount !== null) &&
  html`<div class="card"><h3>Long tail of the training set</h3>${await figure(
    longTailChart(metrics, pageTheme),
    'Training images of each class on a logarithmic scale, coloured by group.',
  )}</div>`
}
</div>
<div class="card"><h3>Confusion matrix</h3>${await figure(
    confusionChart(metrics.confusionMatrix, metrics.classes, 'counts', pageTheme, {
      cell: metrics.classes.length > 24 ? Math.max(8, Math.floor(760 / metrics.classes.length)) : 31,
    }),
    'Rows are the truth, columns the prediction. Numbers are images; the colour is their share of the row.',
  )}</div>
<div class="row">
${
  macro !== undefined &&
  html`<div class="card"><h3>ROC, mean of classes</h3>${await figure(
    rocPanel(macro, pageTheme),
    `Mean of the class ROC curves at equal false-positive rate${bands}. Mean area ${decimal(macro.auroc)}.`,
  )}</div>`
}
<div class="card"><h3>Reliability</h3>${await figure(
    reliabilityChart(metrics.calibration, pageTheme),
    `How often a prediction of a given confidence is right: below the dashed line the network believes itself too much, above it too little. Expected calibration error ${decimal(metrics.calibration.ece)}.`,
  )}</div>
</div>
${
  roc.some((curve) => curve.index !== null) &&
  html`<div class="card"><h3>ROC of each class</h3>${await figure(
    rocChart(roc, groups, pageTheme),
    `Each class against all others${bands}; the number is the area under the curve.`,
  )}</div>`
}
${classTable(metrics)}`;
}

function level({ intervals }: Metrics): string {
  return `${Math.round((intervals?.level ?? 0.95) * 100)} %`;
}

/** One row a class. */
function classTable(metrics: Metrics): Markup {
  const { intervals, perClass } = metrics;
  const grouped = metrics.longTail !== null;
  const counted = perClass.some((c) => c.trainCount !== null);
  const note =
    intervals === null
      ? ''
      : ` Small figures: ${level(metrics)} intervals from ${count(intervals.resamples)} bootstrap resamples of ${count(intervals.units)} ${intervals.unit}s.`;
  const row = (c: ClassMetrics, k: number): Markup => {
    const own = intervals?.perClass[k];
    return html`<tr><th scope="row" class="name">${c.name}</th>
${grouped && html`<td class="name"><span class="dot ${c.group}"></span> ${c.group}</td>`}
${counted && html`<td>${count(c.trainCount)}</td>`}<td>${count(c.support)}</td>
<td class="bar" style="--share:${Math.round(100 * (c.accuracy ?? 0))}%">${percent(c.accuracy)}${range(percentRange(own?.accuracy))}</td>
<td>${percent(c.precision)}${range(percentRange(own?.precision))}</td>
<td>${decimal(c.f1)}${range(decimalRange(own?.f1))}</td>
<td>${decimal(c.auroc)}${range(decimalRange(own?.auroc))}</td></tr>`;
  };
  return html`<div class="card scroll"><table><caption>All classes.${note}</caption>
<thead><tr><th scope="col" class="name">Class</th>${grouped && html`<th scope="col" class="name">Group</th>`}
${counted && html`<th scope="col">Training images</th>`}<th scope="col">Test images</th><th scope="col">Accuracy</th><th scope="col">Precision</th><th scope="col">F1</th><th scope="col">AUROC</th></tr></thead>
<tbody>${perClass.map(row)}</tbody></table></div>`;
}

/** Radiographs next to what the network looked at. */
export function gallery(items: readonly GalleryItem[]): Markup {
  return html`<p class="lead">Left the radiograph, right the same with the regions that spoke for the class in the caption (Grad-CAM). A bright region is where the network looked, not where a finding is.</p>
<div class="gallery">${items.map(galleryItem)}</div>`;
}

function galleryItem(item: GalleryItem, index: number): Markup {
  const explained = item.explained ?? item.predicted;
  const verdict: Content =
    item.truth === null
      ? html`Predicted <b>${item.predicted}</b>`
      : html`<span class="${item.truth === item.predicted ? 'right' : 'wrong'}">${item.truth === item.predicted ? '✓ right' : '✗ wrong'}</span> · true <b>${item.truth}</b>, predicted <b>${item.predicted}</b>`;
  const source = (bytes: Uint8Array, name: string) => trusted(dataUri(`gallery[${index}].${name}`, bytes));
  return html`<figure><div class="pair">
<img src="${source(item.image, 'image')}" alt="Radiograph ${item.id}">
<img src="${source(item.overlay, 'overlay')}" alt="Radiograph ${item.id} with the regions that spoke for ${explained}">
</div><figcaption>${item.group && html`<span class="dot ${item.group}"></span> `}${verdict} (${percent(item.probability)})
<div class="id">${item.id}${explained !== item.predicted && html` · heat map of ${explained}`}</div></figcaption></figure>`;
}

/** The exact options of the run. */
export function optionTable(options: ReportData['options']): Markup {
  const shown = (value: OptionValue): string => (typeof value === 'string' ? value : JSON.stringify(value));
  return html`<div class="card scroll"><table><caption>Everything that this run was told.</caption>
<thead><tr><th scope="col" class="name">Option</th><th scope="col" class="name">Value</th></tr></thead>
<tbody>${Object.entries(options).map(
    ([name, value]) =>
      html`<tr><th scope="row" class="name">${name}</th><td class="value">${shown(value)}</td></tr>`,
  )}</tbody></table></div>`;
}
