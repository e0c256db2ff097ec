import path from 'node:path';
import { writeFileAtomic } from '../../checkpoints/atomic.js';
import { csvLine } from '../../data/csv-row.js';
import { type Content, html } from '../html/markup.js';
import { notClinical } from '../html/overview.js';
import { page } from '../html/page.js';
import { optionTable } from '../html/sections.js';
import { type Comparison, type ComparisonColumn, type ComparisonRow, share } from './table.js';

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

/** The table for programs: each figure with the ends of its interval, those of its seeds, and the published one. */
export function comparisonCsv({ columns, rows }: Comparison): string {
  const hasRanges = rows.some(({ figures }) => Object.values(figures ?? {}).some(({ range }) => range));
  const suffixes = ['', '_low', '_high', ...(hasRanges ? ['_seeds_low', '_seeds_high'] : []), '_published'];
  const header = columns.flatMap(({ name }) => {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return suffixes.map((suffix) => snake + suffix);
  });
  const number = (value: number | null | undefined) => (value == null ? '' : String(value));
  const cells = ({ figures, published }: ComparisonRow) =>
    columns.flatMap(({ name }) => {
      const { value, interval, range } = figures?.[name] ?? { value: null, interval: null };
      const seeds = hasRanges ? [range?.low, range?.high] : [];
      return [value, interval?.low, interval?.high, ...seeds, published?.[name]?.value].map(number);
    });
  return [
    csvLine(['row', 'title', 'status', 'note', ...header]),
    ...rows.map((row) => csvLine([row.name, row.title, row.status, row.note ?? '', ...cells(row)])),
  ].join('');
}

/** A markdown table with more columns is cut into several, each with the names of the rows. */
const widest = 8;

/** The table for documents; also what is shown on a terminal. */
export function comparisonMarkdown(comparison: Comparison): string {
  const { title, description, notices, rows, columns } = comparison;
  const hasPublished = isPublished(comparison);
  const hasRanges = rows.some(({ figures }) => Object.values(figures ?? {}).some(({ range }) => range));
  const cell = (row: ComparisonRow, { name }: ComparisonColumn): string => {
    const { value = null, interval, range } = row.figures?.[name] ?? {};
    const within = interval ? ` [${interval.low.toFixed(3)}, ${interval.high.toFixed(3)}]` : '';
    const seeds = range ? ` (${range.low.toFixed(3)} to ${range.high.toFixed(3)})` : '';
    const shown = publishes(comparison, name) ? ` / ${markedPublished(row, name)}` : '';
    return `${share(value)}${within}${seeds}${shown}`;
  };
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
  const table = (part: readonly ComparisonColumn[]) => [
    line(['Method', ...part.map(({ title: of, group }) => (group ? `${group}: ${of}` : of))]),
    line(['---', ...part.map(() => '---')]),
    ...rows.map((row) => line([row.title, ...part.map((column) => cell(row, column))])),
  ];
  const notes = rows.flatMap(({ title: of, note }) => (note === null ? [] : [`- ${of}: ${note}`]));
  const drawn = drawnOf(rows);
  const interval95 = drawn === undefined ? '' : ` [95 % interval, ${drawn}]`;
  const meaning = `ours${interval95}${hasRanges ? ' (lowest to highest seed)' : ''}`;
  return `${[
    `# ${title}`,
    '',
    ...description,
    ...(hasPublished || hasRanges || interval95 !== ''
      ? [`Each cell: ${meaning}${hasPublished ? ' / published' : ''}.`]
      : []),
    ...notices.map((notice) => `**${notice}**`),
    '',
    ...blocksOf(columns).flatMap((part, i) => [...(i > 0 ? [''] : []), ...table(part)]),
    ...(hasUnclear(comparison) ? ['', `\\* ${comparison.mark}`] : []),
    ...(notes.length > 0 ? ['', ...notes] : []),
    '',
    notClinical,
  ].join('\n')}\n`;
}

/** What was drawn for the intervals; `undefined` where there are none. */
function drawnOf(rows: readonly ComparisonRow[]): string | undefined {
  const units = new Set(rows.map(({ resampled }) => resampled ?? null));
  const [patients, images] = [units.has('patient'), units.has('image')];
  if (patients && images) return 'patients resampled where they are known, else images';
  if (images) return 'images resampled, as patients are not known';
  return patients ? 'patients resampled' : undefined;
}

/** Runs of columns that are not too wide; a group stays whole. */
function blocksOf(columns: readonly ComparisonColumn[]): ComparisonColumn[][] {
  const blocks: ComparisonColumn[][] = [[]];
  for (const group of groupsOf(columns)) {
    const last = blocks.at(-1) as ComparisonColumn[];
    if (last.length > 0 && last.length + group.length > widest) blocks.push([...group]);
    else last.push(...group);
  }
  return blocks;
}

/** Neighbours with the same group; a column without one stands alone. */
function groupsOf(columns: readonly ComparisonColumn[]): ComparisonColumn[][] {
  const groups: ComparisonColumn[][] = [];
  for (const column of columns) {
    const last = groups.at(-1);
    if (last && column.group !== undefined && last[0]?.group === column.group) last.push(column);
    else groups.push([column]);
  }
  return groups;
}

function isPublished({ rows }: Comparison): boolean {
  return rows.some(({ published }) => published !== null);
}

// In a table without groups every column shows what is published of it, or a dash.
function publishes(comparison: Comparison, name: string): boolean {
  const { rows, columns } = comparison;
  if (!columns.some(({ group }) => group !== undefined)) return isPublished(comparison);
  return rows.some(({ published }) => published?.[name] !== undefined);
}

function markedPublished({ published }: ComparisonRow, name: string): string {
  const found = published?.[name];
  return `${share(found?.value)}${found?.unclear ? '*' : ''}`;
}

function hasUnclear({ rows }: Comparison): boolean {
  return rows.some(({ published }) => Object.values(published ?? {}).some(({ unclear }) => unclear));
}

/** The table as one HTML page. */
export function comparisonHtml(comparison: Comparison): string {
  const { title, description, notices, date, rows, columns, options } = comparison;
  const header = html`<header class="top">
<h1>${title}</h1>
${description.map((sentence) => html`<p class="lead">${sentence}</p>`)}
<p class="clinical">${notClinical}</p>
<dl class="facts"><div><dt>Date</dt><dd>${date}</dd></div></dl>
${notices.length > 0 && html`<ul class="notices" aria-label="Notices">${notices.map((notice) => html`<li>${notice}</li>`)}</ul>`}
</header>`;
  const main = html`<section id="table" aria-labelledby="table-title"><h2 id="table-title">All rows</h2>
<div class="card scroll"><table>
<caption>Large: ours. Small: ${drawnOf(rows) !== undefined && `its bootstrap interval (${drawnOf(rows)}), `}the lowest and highest seed, and the published figure.${hasUnclear(comparison) && ` * ${comparison.mark}`}</caption>
<thead>${headRows(columns)}</thead>
<tbody>${rows.map(
    (
      row,
    ) => html`<tr><th scope="row" class="name">${row.title}${row.note && html`<span class="note">${row.note}</span>`}</th>
${columns.map(({ name }) => html`<td>${htmlCell(row, name)}</td>`)}</tr>`,
  )}</tbody></table></div></section>
<section id="options" aria-labelledby="options-title"><h2 id="options-title">Options</h2>${optionTable(options)}</section>
`;
  return page(title, header, main);
}

function headRows(columns: readonly ComparisonColumn[]): Content {
  const titles = columns.map((column) => html`<th scope="col">${column.title}</th>`);
  if (!columns.some(({ group }) => group !== undefined))
    return html`<tr><th scope="col" class="name">Method</th>${titles}</tr>`;
  const groups = groupsOf(columns).map(
    (group) => html`<th scope="colgroup" colspan="${String(group.length)}">${group[0]?.group ?? ''}</th>`,
  );
  return html`<tr><th scope="col" rowspan="2" class="name">Method</th>${groups}</tr><tr>${titles}</tr>`;
}

function htmlCell(row: ComparisonRow, name: string): Content {
  const figure = row.figures?.[name];
  const ends = (of: { readonly low: number; readonly high: number } | null | undefined) =>
    of ? `${of.low.toFixed(3)} – ${of.high.toFixed(3)}` : null;
  const [within, seeds] = [ends(figure?.interval), ends(figure?.range)];
  return html`${share(figure?.value)}${within && html`<span class="range">${within}</span>`}${
    seeds && html`<span class="range">seeds ${seeds}</span>`
  }${
    row.published?.[name] !== undefined &&
    html`<span class="range">published ${markedPublished(row, name)}</span>`
  }`;
}
