import { writeFileAtomic } from '../checkpoints/atomic.js';
import type { MeanWithInterval } from '../metrics/mean.js';
import type { TeacherEvaluation } from '../systems/gazelt/teacher-evaluate.js';
import type { SaliencyMeasure, WindowSaliency } from '../systems/gazelt/teacher-saliency.js';
import type { EpochHalf } from '../training/checkpoint.js';
import { learningCurve } from './charts/curves.js';
import { pageTheme } from './charts/theme.js';
import { dataUri, figure } from './html/figures.js';
import { count, decimal, decimalRange, splitTitle } from './html/format.js';
import type { Markup } from './html/markup.js';
import { html, trusted } from './html/markup.js';
import { range } from './html/overview.js';
import { type PageSection, sectionPage } from './html/section-page.js';
import { optionTable } from './html/sections.js';
import type { ReportData } from './report-data.js';

/** A film with predicted and recorded gaze drawn over it. */
export interface GazePicture {
  /** Which film. */
  readonly id: string;
  /** Bytes of a PNG file: predicted maps in the upper row, recorded ones below, a column each window. */
  readonly image: Uint8Array;
}

/** All that the report of a teacher shows. */
export interface TeacherReportData
  extends Pick<ReportData, 'title' | 'description' | 'date' | 'facts' | 'options' | 'notices' | 'bestEpoch'> {
  /** Rows of `history.csv`. */
  readonly history: readonly EpochHalf[];
  /** Splits by name with how well gaze is predicted on them. */
  readonly evaluations: readonly { readonly split: string; readonly evaluation: TeacherEvaluation }[];
  /** Pictures of some readings of the first split. */
  readonly pictures: readonly GazePicture[];
}

/** The report of a teacher as one HTML page, made as {@link renderReport} makes a classifier's. */
export async function renderTeacherReport(data: TeacherReportData): Promise<string> {
  const { title, description, date, facts, notices } = data;
  const head = { title, date, facts, ...(description === undefined ? {} : { description }) };
  return sectionPage({ ...head, said: notices.map(({ message }) => message) }, await sectionsOf(data));
}

/** Writes the report of a teacher to a file, whole or not at all. */
export async function writeTeacherReport(path: string, data: TeacherReportData): Promise<void> {
  await writeFileAtomic(path, await renderTeacherReport(data));
}

async function sectionsOf(data: TeacherReportData): Promise<PageSection[]> {
  const sections: PageSection[] = data.evaluations.map(({ split, evaluation }, i) => ({
    id: `split-${i + 1}`,
    title: `Predicted gaze: ${splitTitle(split)}`,
    body: saliencyTable(evaluation),
  }));
  if (data.pictures.length > 0)
    sections.push({ id: 'pictures', title: 'Predicted and recorded maps', body: pictures(data.pictures) });
  if (data.history.length > 0)
    sections.push({ id: 'curves', title: 'Learning curve', body: await lossCurve(data) });
  return [...sections, { id: 'options', title: 'Options', body: optionTable(data.options) }];
}

async function lossCurve({ history, bestEpoch }: TeacherReportData): Promise<Markup> {
  const best =
    bestEpoch === null ? '' : ` The dashed line marks epoch ${bestEpoch}, whose weights were kept.`;
  const caption = `Attention loss, summed over positions and windows, of training and validation.${best}`;
  const chart = learningCurve(history, 'loss', pageTheme, { bestEpoch });
  return html`<div class="row"><div class="card">${await figure(chart, caption)}</div></div>`;
}

const measures: readonly { readonly key: SaliencyMeasure; readonly title: string }[] = [
  { key: 'cc', title: 'CC' },
  { key: 'kl', title: 'KL' },
  { key: 'nss', title: 'NSS' },
];

function saliencyTable(evaluation: TeacherEvaluation): Markup {
  const { readings, left, skipped, unit, units, windows } = evaluation;
  const hasBaseline = windows.some(({ centreBias }) => centreBias !== null);
  const leftOut = left > 0 ? ` ${count(left)} readings that look at nothing of the film are left out.` : '';
  const unread =
    skipped.length > 0 ? ` ${count(skipped.length)} readings of films that cannot be read are left out.` : '';
  return html`<p class="lead">Correlation (CC, more is better), Kullback-Leibler divergence of the recorded from the predicted map (KL, less is better) and normalised scanpath saliency at the fixations (NSS, more is better; 0 is chance).${hasBaseline && ' The centre bias is the mean map of the training readings, the same for every film: a teacher that does not beat it has learned nothing from the film.'}</p>
<div class="card scroll"><table><caption>${count(readings)} readings. Small figures: 95 % intervals from resampling ${count(units)} ${unit}s.${leftOut}${unread}</caption>
<thead><tr><th scope="col" class="name">Window</th><th scope="col" class="name">Map</th><th scope="col">Readings</th>${measures.map(({ title }) => html`<th scope="col">${title}</th>`)}</tr></thead>
<tbody>${windows.map(windowRows)}</tbody></table></div>`;
}

function windowRows(saliency: WindowSaliency): Markup[] {
  const { window, readings, teacher, centreBias, uniform, difference } = saliency;
  const name = window === null ? 'All' : `${window + 1}`;
  const cell = ({ mean, interval }: MeanWithInterval): Markup =>
    html`<td>${decimal(mean)}${range(decimalRange(interval))}</td>`;
  const row = (label: string, values: WindowSaliency['teacher']): Markup =>
    html`<tr><th scope="row" class="name">${name}</th><td class="name">${label}</td><td>${count(readings)}</td>${measures.map(({ key }) => cell(values[key]))}</tr>`;
  return [
    row('teacher', teacher),
    ...(centreBias ? [row('centre bias', centreBias)] : []),
    row('uniform', uniform),
    ...(difference ? [row('teacher - centre bias', difference)] : []),
  ];
}

function pictures(items: readonly GazePicture[]): Markup {
  return html`<p class="lead">Upper row: the teacher's maps of the four time windows. Lower row: the recorded ones; black where nobody looked in that window.</p>
<div class="gallery">${items.map(
    ({ id, image }, i) =>
      html`<figure><img class="wide" src="${trusted(dataUri(`pictures[${i}].image`, image))}" alt="Predicted and recorded gaze over ${id}"><figcaption><div class="id">${id}</div></figcaption></figure>`,
  )}</div>`;
}
