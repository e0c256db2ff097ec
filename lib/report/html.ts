import { writeFileAtomic } from '../checkpoints/atomic.js';
import { knownKeys, list, text } from '../validate.js';
import { splitTitle } from './html/format.js';
import { groupTable, noticesOf } from './html/overview.js';
import { type PageSection, sectionPage } from './html/section-page.js';
import { evaluationSection, gallery, learningCurves, optionTable } from './html/sections.js';
import type { ReportData } from './report-data.js';

/**
 * The report as one HTML page: no script, no request, charts inline, images as `data:` URIs. It follows the reader's
 * light or dark setting and prints.
 *
 * @throws `ERR_INVALID_ARGUMENT` where the data do not fit, `ERR_IMAGE` for a gallery image that is none
 */
export async function renderReport(data: ReportData): Promise<string> {
  checkReport(data);
  const { title, description, date, facts } = data;
  const head = {
    title,
    date,
    facts,
    said: noticesOf(data),
    ...(description === undefined ? {} : { description }),
  };
  return sectionPage(head, await reportSections(data));
}

/** Writes the report to a file, whole or not at all. */
export async function writeReport(path: string, data: ReportData): Promise<void> {
  await writeFileAtomic(path, await renderReport(data));
}

async function reportSections(data: ReportData): Promise<PageSection[]> {
  const sections: PageSection[] = [];
  const summary = groupTable(data.evaluations);
  if (summary !== null) sections.push({ id: 'groups', title: 'Head, medium and tail', body: summary });
  for (const [i, evaluation] of data.evaluations.entries()) {
    const body = await evaluationSection(evaluation);
    sections.push({ id: `split-${i + 1}`, title: splitTitle(evaluation.split), body });
  }
  if (data.gallery.length > 0) {
    sections.push({ id: 'gallery', title: 'Where the network looked', body: gallery(data.gallery) });
  }
  if (data.history.length > 0) {
    sections.push({ id: 'curves', title: 'Learning curves', body: await learningCurves(data) });
  }
  sections.push({ id: 'options', title: 'Options', body: optionTable(data.options) });
  return sections;
}

function checkReport(data: ReportData): void {
  knownKeys('data', data, [
    ...['title', 'description', 'date', 'facts', 'options', 'notices', 'history', 'bestEpoch'],
    ...['evaluations', 'gallery'],
  ]);
  text('data.title', data.title);
  text('data.date', data.date);
  for (const name of ['facts', 'notices', 'history', 'evaluations', 'gallery'] as const) {
    list(`data.${name}`, data[name], (_, value) => value);
  }
}
