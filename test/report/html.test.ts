import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { escapeHtml, html, trusted } from '../../lib/report/html/markup.js';
import { renderReport, writeReport } from '../../lib/report/html.js';
import type { ReportData } from '../../lib/report/report-data.js';
import { madeUpReport } from './support.js';

/** Elements of HTML that have no end. */
const empty = new Set(['meta', 'img', '!doctype']);

/** Walks through the tags of a page and fails on one that is closed out of turn; returns how often each was opened. */
function tags(page: string): Map<string, number> {
  const open: string[] = [];
  const seen = new Map<string, number>();
  for (const [, closing, name, rest] of page.matchAll(/<(\/?)([!a-z][a-z0-9]*)\b((?:[^>"]|"[^"]*")*)>/gi)) {
    const tag = (name as string).toLowerCase();
    if (closing === '/') {
      const expected = open.pop();
      if (expected !== tag) throw new Error(`</${tag}> where </${expected}> was due`);
      continue;
    }
    seen.set(tag, (seen.get(tag) ?? 0) + 1);
    if (!empty.has(tag) && !(rest as string).endsWith('/')) open.push(tag);
  }
  if (open.length > 0) throw new Error(`never closed: ${open.join()}`);
  return seen;
}

type Assertions = Pick<typeof t, 'match' | 'notMatch' | 'strictSame'>;

/** Nothing that runs, nothing that is fetched. */
function checkContained(t: Assertions, page: string): void {
  t.notMatch(page, /<script|<link|<iframe|<object|<embed|<base|<form/i, 'no element that runs or loads');
  t.notMatch(page, /<[^>]*\son[a-z]+\s*=/i, 'no event handler');
  t.notMatch(page, /javascript:|@import|url\((?!#)/i);
  const sources = [...page.matchAll(/\s(?:src|href|srcset|action|xlink:href)="([^"]*)"/g)].map(
    (m) => m[1] as string,
  );
  t.strictSame(
    sources.filter((source) => !/^(?:#[a-z0-9-]+$|data:image\/(?:png|jpeg|webp);base64,)/.test(source)),
    [],
    'links inside the page and data: images only',
  );
  t.match(
    page,
    /http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"/,
  );
}

t.test('a whole report', async (t) => {
  const data = await madeUpReport(['No Finding', 'Mass', 'Edema', 'Hernia', 'Nodule']);
  const page = await renderReport(data);
  const seen = tags(page);
  checkContained(t, page);

  t.match(page, /^<!doctype html>\n<html lang="en">/);
  t.match(page, /Not for clinical use\./);
  t.match(page, /made-up run/);
  t.match(page, /1 January 2026/);
  t.match(page, /Distillation was off: no teachers\./);
  t.match(page, /× chance \(20\.0 %\)/);
  t.match(page, /Head: more than 1,000 training images; tail: fewer than 100/);
  t.match(page, /epoch 3, whose weights were kept/);
  t.match(page, /20 bootstrap resamples of 75 patients/);
  t.match(page, /\{&quot;head&quot;:1000,&quot;tail&quot;:100\}/, 'options are shown whole');
  t.match(page, /prefers-color-scheme: dark/);
  t.match(page, /@media print/);

  t.equal(seen.get('h1'), 1);
  t.equal(seen.get('svg'), 9, 'accuracy, long tail, confusion, two ROC, reliability, three learning curves');
  t.equal(
    (page.match(/<svg [^>]*role="img" aria-label="[^"]+"/g) ?? []).length,
    9,
    'each with its description',
  );
  t.equal(seen.get('img'), 4);
  t.equal((page.match(/<img src="[^"]*" alt="[^"]+">/g) ?? []).length, 4, 'each with alt text');
  t.equal(
    (page.match(/<th(?=[ >])/g) ?? []).length,
    (page.match(/<th scope="(?:col|row)"/g) ?? []).length,
    'each header has a scope',
  );
  t.equal(seen.get('table'), seen.get('caption'), 'each table has a caption');
  const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map((m) => m[1]);
  t.equal(new Set(ids).size, ids.length, 'ids are unique');
  for (const [, id] of page.matchAll(/href="#([^"]*)"/g)) t.ok(ids.includes(id), `#${id} is there`);
});

t.test('hostile names stay text, wherever they stand', async (t) => {
  const evil = '</td></style><script>alert(1)</script><img src=x onerror=alert(1)>';
  const classes = [
    evil,
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    '&lt;b&gt;',
    'javascript:alert(1)\u0000',
  ];
  const data = await madeUpReport(classes);
  const item = data.gallery[0] as ReportData['gallery'][number];
  const page = await renderReport({
    ...data,
    title: evil,
    description: evil,
    date: evil,
    facts: [{ name: evil, value: evil }],
    options: { [evil]: evil, list: [evil] },
    notices: [{ code: evil, message: evil }],
    evaluations: data.evaluations.map((evaluation) => ({ ...evaluation, split: evil, description: evil })),
    gallery: [{ ...item, id: evil, truth: classes[1] as string, explained: evil }],
  });
  tags(page);
  const withoutText = page.replaceAll(/>[^<]*</g, '><').replaceAll(/"[^"]*"/g, '""');
  t.notMatch(withoutText, /<script|onerror|onload|onmouseover/i);
  t.equal((page.match(/<img /g) ?? []).length, 2, 'no image but the two of the gallery');
  t.notOk(page.includes('\u0000'));
  t.match(page, /&amp;lt;b&amp;gt;/, 'what looks escaped is shown as it is');
});

t.test('a report about a prediction only: no training, no groups, no intervals', async (t) => {
  const data = await madeUpReport(['a', 'b', 'c']);
  const evaluation = data.evaluations[0] as ReportData['evaluations'][number];
  const metrics = {
    ...evaluation.metrics,
    longTail: null,
    intervals: null,
    perClass: evaluation.metrics.perClass.map((c) => ({ ...c, trainCount: null, group: null, auroc: null })),
    auroc: null,
  };
  const page = await renderReport({
    ...data,
    history: [],
    bestEpoch: null,
    options: { loss: 'ce' },
    notices: [],
    gallery: [],
    evaluations: [{ split: 'test', metrics, roc: [] }],
  });
  tags(page);
  t.notMatch(
    page,
    /Learning curves|Head, medium and tail|Where the network looked|Long tail of|ROC of|bootstrap/,
  );
  t.notMatch(page, /null|undefined|NaN/);
  const bare = await renderReport({ ...data, evaluations: [], history: [], gallery: [], notices: [] });
  tags(bare);
  t.match(bare, /Options/);
});

t.test('the same data make the same page', async (t) => {
  const data = await madeUpReport(['a', 'b', 'c']);
  t.equal(await renderReport(data), await renderReport(data));
});

t.test('a notice that two splits share is said once, with its split where it differs', async (t) => {
  const data = await madeUpReport(['a', 'b', 'c']);
  const evaluation = data.evaluations[0] as ReportData['evaluations'][number];
  const metrics = { ...evaluation.metrics, notices: [{ code: 'x', message: 'Only here.' }] };
  const page = await renderReport({
    ...data,
    evaluations: [evaluation, { ...evaluation, split: 'test_two', metrics }],
    notices: [...data.notices, ...data.notices],
  });
  t.equal(page.split('Distillation was off').length, 2);
  t.match(page, /Test two: Only here\./);
});

t.test('written whole', async (t) => {
  const path = join(t.testdir(), 'report.html');
  const data = await madeUpReport(['a', 'b', 'c']);
  await writeReport(path, data);
  t.equal(await readFile(path, 'utf8'), await renderReport(data));
});

t.test('bad data have codes', async (t) => {
  const data = await madeUpReport(['a', 'b', 'c']);
  const item = data.gallery[0] as ReportData['gallery'][number];
  const bad = { code: 'ERR_INVALID_ARGUMENT' };
  await t.rejects(renderReport({ ...data, title: '' }), bad);
  await t.rejects(renderReport({ ...data, gallry: [] } as never), /did you mean 'gallery'/);
  await t.rejects(renderReport({ ...data, history: null } as never), bad);
  await t.rejects(
    renderReport({ ...data, gallery: [{ ...item, overlay: Buffer.from('<svg onload="alert(1)">') }] }),
    {
      code: 'ERR_IMAGE',
      message: /gallery\[0\]\.overlay/,
    },
  );
});

t.test('templates escape any text, and lose none of it', async () => {
  const plain = (text: string) =>
    text
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&quot;', '"')
      .replaceAll('&#39;', "'")
      .replaceAll('&amp;', '&');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const escaped = escapeHtml(text);
      if (/[<>"']/.test(escaped)) throw new Error(escaped);
      return (
        html`${text}`.text === escaped && html`${trusted(text)}`.text === text && plain(escaped) === text
      );
    }),
  );
});
