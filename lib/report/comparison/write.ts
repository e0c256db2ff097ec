import path from 'node:path';
import { writeFileAtomic } from '../../checkpoints/atomic.js';
import { csvLine } from '../csv.js';
import { type Content, html } from '../html/markup.js';
import { notClinical } from '../html/overview.js';
import { page } from '../html/page.js';
import { optionTable } from '../html/sections.js';
import {
  type Comparison,
  type ComparisonColumn,
  type ComparisonRow,
  comparisonColumns,
  isUnclear,
  publishedValue,
  share,
} from './table.js';

/** Writes `table.html`, `table.csv` and `table.md`. @param folder existing @returns the paths written */
export async function writeComparison(folder: string, comparison: Comparison): Promise<string[]> {
  const files = {
    'table.html': comparisonHtml(comparison),
    'table.csv': comparisonCsv(comparison),
    'table.md': comparisonMarkdown(comparison),
  };
  const paths: string[] = [];
  for (const [name, content] of Object.entries(files)) {
    paths.push(path.join(folder, name));
    await writeFileAtomic(path.join(folder, name), content);
  }
  return paths;
}

const unclearNote = 'Published average that is the mean of neither groups nor classes.';

/** The table for programs: each figure with the ends of its interval and the published one beside it. */
export function comparisonCsv({ rows }: Comparison): string {
  const header = comparisonColumns.flatMap(({ name }) => {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return ['', '_low', '_high', '_published'].map((suffix) => snake + suffix);
  });
  const number = (value: number | null | undefined) => (value == null ? '' : String(value));
  const cells = ({ figures, published }: ComparisonRow) =>
    comparisonColumns.flatMap(({ name }) => {
      const { value, interval } = figures?.[name] ?? { value: null, interval: null };
      return [value, interval?.low, interval?.high, publishedValue(published, name)].map(number);
    });
  return [
    csvLine(['row', 'title', 'status', 'note', ...header]),
    ...rows.map((row) => csvLine([row.name, row.title, row.status, row.note ?? '', ...cells(row)])),
  ].join('');
}

/** The table for documents; also what is shown on a terminal. */
export function comparisonMarkdown({ title, description, notices, rows }: Comparison): string {
  const hasPublished = rows.some(({ published }) => published !== null);
  const cell = (row: ComparisonRow, column: ComparisonColumn): string => {
    const { value, interval } = row.figures?.[column] ?? { value: null, interval: null };
    const range = interval ? ` [${interval.low.toFixed(3)}, ${interval.high.toFixed(3)}]` : '';
    const theirs = publishedValue(row.published, column);
    const mark = isUnclear(row.published, column) ? '*' : '';
    return `${share(value)}${range}${hasPublished ? ` / ${share(theirs)}${mark}` : ''}`;
  };
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
  const notes = rows.flatMap(({ title: of, note }) => (note === null ? [] : [`- ${of}: ${note}`]));
  const unclear = rows.some(({ published }) => isUnclear(published, 'averageOfGroups'));
  return `${[
    `# ${title}`,
    '',
    ...description,
    ...(hasPublished ? ['Each cell: ours [95 % interval] / published.'] : []),
    ...notices.map((notice) => `**${notice}**`),
    '',
    line(['Method', ...comparisonColumns.map((column) => column.title)]),
    line(['---', ...comparisonColumns.map(() => '---')]),
    ...rows.map((row) => line([row.title, ...comparisonColumns.map(({ name }) => cell(row, name))])),
    ...(unclear ? ['', `\\* ${unclearNote}`] : []),
    ...(notes.length > 0 ? ['', ...notes] : []),
    '',
    notClinical,
  ].join('\n')}\n`;
}

/** The table as one HTML page. */
export function comparisonHtml(comparison: Comparison): string {
  const { title, description, notices, date, rows, options } = comparison;
  const header = html`<header class="top">
<h1>${title}</h1>
${description.map((sentence) => html`<p class="lead">${sentence}</p>`)}
<p class="clinical">${notClinical}</p>
<dl class="facts"><div><dt>Date</dt><dd>${date}</dd></div></dl>
${notices.length > 0 && html`<ul class="notices" aria-label="Notices">${notices.map((notice) => html`<li>${notice}</li>`)}</ul>`}
</header>`;
  const unclear = rows.some(({ published }) => isUnclear(published, 'averageOfGroups'));
  const main = html`<section id="table" aria-labelledby="table-title"><h2 id="table-title">All rows</h2>
<div class="card scroll"><table>
<caption>Large: ours. Small: its patient-wise bootstrap interval, and the published figure.${unclear && ` * ${unclearNote}`}</caption>
<thead><tr><th scope="col" class="name">Method</th>${comparisonColumns.map((column) => html`<th scope="col">${column.title}</th>`)}</tr></thead>
<tbody>${rows.map(
    (
      row,
    ) => html`<tr><th scope="row" class="name">${row.title}${row.note && html`<span class="note">${row.note}</span>`}</th>
${comparisonColumns.map(({ name }) => html`<td>${htmlCell(row, name)}</td>`)}</tr>`,
  )}</tbody></table></div></section>
<section id="options" aria-labelledby="options-title"><h2 id="options-title">Options</h2>${optionTable(options)}</section>
`;
  return page(title, header, main);
}

function htmlCell({ figures, published }: ComparisonRow, column: ComparisonColumn): Content {
  const figure = figures?.[column];
  const theirs = publishedValue(published, column);
  const mark = isUnclear(published, column) ? '*' : '';
  const range = figure?.interval
    ? `${figure.interval.low.toFixed(3)} – ${figure.interval.high.toFixed(3)}`
    : null;
  return html`${share(figure?.value ?? null)}${range && html`<span class="range">${range}</span>`}${
    theirs !== null && html`<span class="range">published ${share(theirs)}${mark}</span>`
  }`;
}
