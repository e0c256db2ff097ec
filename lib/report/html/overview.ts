import type { Metrics } from '../../metrics/types.js';
import type { ReportData, ReportEvaluation } from '../report-data.js';
import { count, decimal, decimalRange, percent, percentRange, splitTitle } from './format.js';
import type { Content, Markup } from './markup.js';
import { html } from './markup.js';

/** What every page of this package says on top. */
export const notClinical = 'Not for clinical use.';

/** What stands on top of a page. */
export interface PageHead extends Pick<ReportData, 'title' | 'description' | 'date' | 'facts'> {
  /** What a reader must know before the numbers. */
  readonly said: readonly string[];
}

/** Title, warning, facts, notices and the way to the sections. */
export function pageHeader(head: PageHead, sections: readonly { id: string; title: string }[]): Markup {
  return html`<header class="top">
<h1>${head.title}</h1>
<p class="lead">${head.description}</p>
<p class="clinical">${notClinical}</p>
<nav aria-label="Sections">${sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)}</nav>
<dl class="facts">${[{ name: 'Date', value: head.date }, ...head.facts].map(
    ({ name, value }) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl>
${noticeList(head.said)}
</header>`;
}

/** Notices of the run and of its splits. */
export function noticesOf(data: Pick<ReportData, 'notices' | 'evaluations'>): string[] {
  const several = data.evaluations.length > 1;
  return [
    ...data.notices.map((notice) => notice.message),
    ...data.evaluations.flatMap(({ split, metrics }) =>
      metrics.notices.map(({ message }) => (several ? `${splitTitle(split)}: ${message}` : message)),
    ),
  ];
}

/** Each said once. */
function noticeList(said: readonly string[]): Content {
  if (said.length === 0) return null;
  return html`<ul class="notices" aria-label="Notices">${[...new Set(said)].map((message) => html`<li>${message}</li>`)}</ul>`;
}

function tile(name: Content, value: string, more: readonly (string | null)[], main = false): Markup {
  const lines = more.filter((line) => line !== null);
  return html`<div class="tile${main ? ' main' : ''}"><div class="name">${name}</div><div class="value">${value}</div>${lines.map(
    (line) => html`<div class="more">${line}</div>`,
  )}</div>`;
}

/** The numbers that come first: balanced accuracy against chance, the groups, and what else sums a split up. */
export function headlineTiles({ metrics }: ReportEvaluation): Markup {
  const { intervals } = metrics;
  const times = metrics.balancedAccuracy / metrics.chance;
  return html`<div class="tiles">
${tile(
  'Balanced accuracy',
  percent(metrics.balancedAccuracy),
  [
    interval(metrics, percentRange(intervals?.balancedAccuracy)),
    `${times.toFixed(1)} × chance (${percent(metrics.chance)})`,
  ],
  true,
)}
${groupTiles(metrics)}
${tile('Mean AUROC', decimal(metrics.auroc), [interval(metrics, decimalRange(intervals?.auroc))])}
${tile('MCC', decimal(metrics.mcc), [interval(metrics, decimalRange(intervals?.mcc))])}
${tile('Macro F1', decimal(metrics.macroF1), [interval(metrics, decimalRange(intervals?.macroF1))])}
${tile('Calibration error', decimal(metrics.calibration.ece), [interval(metrics, decimalRange(intervals?.ece)), 'ECE; 0 is best'])}
</div>`;
}

function interval({ intervals }: Metrics, range: string | null): string | null {
  return intervals === null || range === null ? null : `${Math.round(intervals.level * 100)} %: ${range}`;
}

function groupTiles(metrics: Metrics): Content {
  return metrics.longTail?.groups.map((group) =>
    tile(
      [html`<span class="dot ${group.name}"></span>`, `${splitTitle(group.name)} classes`],
      percent(group.accuracy),
      [
        interval(metrics, percentRange(metrics.intervals?.groups?.[group.name])),
        `${group.classes.length} classes, ${count(group.support)} images`,
      ],
    ),
  );
}

/** Head, medium, tail of all splits, with both quantities that are called "Avg" in the literature. */
export function groupTable(evaluations: readonly ReportEvaluation[]): Content {
  const shown = evaluations.filter(({ metrics }) => metrics.longTail !== null);
  if (shown.length === 0) return null;
  const cells = (metrics: Metrics): Content =>
    metrics.longTail?.groups.map(
      (group) =>
        html`<td>${percent(group.accuracy)}${range(percentRange(metrics.intervals?.groups?.[group.name]))}</td>`,
    );
  const thresholds = shown[0]?.metrics.longTail?.thresholds;
  const cut = thresholds
    ? ` Head: more than ${count(thresholds.head)} training images; tail: fewer than ${count(thresholds.tail)}.`
    : '';
  return html`<div class="card scroll"><table>
<caption>Mean class accuracy by group.${cut} The literature calls two different means “Avg”; both are given.</caption>
<thead><tr><th scope="col" class="name">Split</th><th scope="col">Images</th><th scope="col">Head</th><th scope="col">Medium</th><th scope="col">Tail</th>
<th scope="col">Mean of groups</th><th scope="col">Mean of classes</th><th scope="col">Accuracy</th></tr></thead>
<tbody>${shown.map(
    ({
      split,
      metrics,
    }) => html`<tr><th scope="row" class="name">${splitTitle(split)}</th><td>${count(metrics.samples)}</td>${cells(metrics)}
<td>${percent(metrics.longTail?.averageOfGroups)}${range(percentRange(metrics.intervals?.averageOfGroups))}</td>
<td>${percent(metrics.longTail?.averageOfClasses)}${range(percentRange(metrics.intervals?.balancedAccuracy))}</td>
<td>${percent(metrics.accuracy)}${range(percentRange(metrics.intervals?.accuracy))}</td></tr>`,
  )}</tbody></table></div>`;
}

/** An interval below its number. */
export function range(text: string | null): Content {
  return text === null ? null : html`<span class="range">${text}</span>`;
}
