import sharp from 'sharp';
import t from 'tap';
import * as vega from 'vega';
import { evaluatePredictions } from '../../lib/metrics/evaluate.js';
import { rocCurves } from '../../lib/metrics/roc.js';
import { reliabilityChart } from '../../lib/report/charts/calibration.js';
import { classAccuracyChart, longTailChart } from '../../lib/report/charts/classes.js';
import { confusionChart } from '../../lib/report/charts/confusion.js';
import { learningCurve } from '../../lib/report/charts/curves.js';
import { cleanText, displayNames } from '../../lib/report/charts/names.js';
import type { ChartSpec } from '../../lib/report/charts/render.js';
import { renderPng, renderSvg } from '../../lib/report/charts/render.js';
import { rocChart, rocPanel } from '../../lib/report/charts/roc.js';
import { pageTheme, printTheme } from '../../lib/report/charts/theme.js';
import { outlineTexts, textWidth } from '../../lib/report/text-outlines.js';
import { madeUp } from '../metrics/support.js';
import { madeUpHistory } from './support.js';

// Vega's own types leave its measure of text out.
const { textMetrics } = vega as unknown as { textMetrics: { width: unknown } };

function allCharts(classes: readonly string[]): Record<string, ChartSpec> {
  const predictions = { ...madeUp(80, classes.length, 1).flat, classes };
  const metrics = evaluatePredictions({
    ...predictions,
    trainCounts: classes.map((_, k) => (k === 0 ? 0 : 3000 >> k)),
  });
  const curves = rocCurves({ ...predictions, bootstrap: { resamples: 20 }, points: 11 });
  return {
    loss: learningCurve(madeUpHistory(5), 'loss', printTheme, { bestEpoch: 2 }),
    auroc: learningCurve(madeUpHistory(1), 'auroc', printTheme),
    'empty history': learningCurve([], 'loss', printTheme),
    counts: confusionChart(metrics.confusionMatrix, classes, 'counts', printTheme),
    fractions: confusionChart(metrics.confusionMatrix, classes, 'fractions', printTheme),
    accuracy: classAccuracyChart(metrics, printTheme),
    'long tail': longTailChart(metrics, printTheme),
    reliability: reliabilityChart(metrics.calibration, printTheme),
    roc: rocChart(
      curves,
      metrics.perClass.map((c) => c.group),
      printTheme,
    ),
    'roc average': rocPanel(curves.at(-1) as (typeof curves)[number], printTheme),
  };
}

const hostile = [
  '</text></svg><script>alert(1)</script>',
  '"onload="alert(1)',
  "datum['x'] & \\u0022 ' \" ` $1",
  'zero\u0000bell\u0007half\ud800line\nbreak',
  'a very long class name that goes on and on and on until nobody wants to read it',
  'constructor',
  '__proto__',
  '0',
];

for (const [set, classes] of Object.entries({
  ordinary: ['No Finding', 'Pleural_Thickening', 'Calcification of the Aorta', 'Hernia'],
  two: ['a', 'b'],
  hostile,
})) {
  for (const [name, spec] of Object.entries(allCharts(classes))) {
    t.test(`${name}, ${set} classes: a PNG whose text is drawn without fonts`, async (t) => {
      const svg = await renderSvg(spec, printTheme, `title "of" <${name}>`);
      t.match(svg, /^<svg [^>]*role="img" aria-label="title &quot;of&quot; &lt;[a-z ]+&gt;">/);
      t.notMatch(
        svg,
        /<script|<image|<a |href=|<style|<foreignObject|\son[a-z]+="/i,
        'nothing that runs or loads',
      );
      t.notMatch(svg, /NaN|undefined|Infinity/);
      t.notMatch(svg, /\bid="/, 'no ids that would clash within a page');
      const outlined = outlineTexts(svg);
      t.equal((outlined.match(/<text/g) ?? []).length, 0, 'no text left for a font');
      const { data, info } = await sharp(await renderPng(spec, printTheme, name))
        .raw()
        .toBuffer({ resolveWithObject: true });
      t.ok(info.width > 100 && info.height > 100, `${info.width} x ${info.height}`);
      t.ok(
        data.some((byte) => byte < 128),
        'something dark on it',
      );
    });
  }
}

t.test('Vega’s own measure of text is put back, whatever happens', async (t) => {
  const before = textMetrics.width;
  await renderSvg(allCharts(['a', 'b']).loss as ChartSpec, pageTheme, 'loss');
  t.equal(textMetrics.width, before);
  await t.rejects(
    renderSvg(
      { data: { values: [{ a: 1 }] }, transform: [{ calculate: '1 +', as: 'b' }], mark: 'bar' },
      pageTheme,
      'broken',
    ),
  );
  t.equal(textMetrics.width, before);
});

t.test('charts of a page name their colours by variable', async (t) => {
  const svg = await renderSvg(learningCurve(madeUpHistory(3), 'loss', pageTheme), pageTheme, 'loss');
  t.match(svg, /stroke="var\(--accent\)"/);
  t.notMatch(svg, /(?:fill|stroke)="(?:#|black|white|rgb)/, 'no colour that would ignore the reader’s theme');
});

t.test('many charts at once are as one after the other', async (t) => {
  const specs = Object.values(allCharts(['a', 'b', 'c']));
  const apart = [];
  for (const spec of specs) apart.push(await renderSvg(spec, printTheme, 'x'));
  t.strictSame(await Promise.all(specs.map((spec) => renderSvg(spec, printTheme, 'x'))), apart);
});

t.test(
  'panels in a last row that is not full: each has its axis, and no axis is without a panel',
  async (t) => {
    const fpr = [0, 1];
    const curves = Array.from({ length: 9 }, (_, index) => ({
      ...{ name: `class ${index}`, index, auroc: 0.5, fpr, tpr: fpr, band: null },
    }));
    const ends = async (panels: number) => {
      const spec = rocChart(curves.slice(0, panels), [], printTheme, { columns: 3 });
      return (await renderSvg(spec, printTheme, 'ROC')).match(/>100%</g)?.length;
    };
    t.equal(await ends(9), 3 + 3, 'an axis a column and one a row');
    t.equal(await ends(7), 7 + 3, 'an axis a panel and one a row');
  },
);

t.test('names are cleaned, shortened and kept apart', async (t) => {
  t.strictSame(displayNames(['a\u0000b', 'a\u0001b', 'x\r\ny', 'z'.repeat(50)]), [
    'a\ufffdb',
    'a\ufffdb (2)',
    'x y',
    `${'z'.repeat(39)}…`,
  ]);
  t.equal(cleanText('pneumonia 肺炎 🫁'), 'pneumonia 肺炎 🫁');
});

t.test('text is as wide as its font makes it', async (t) => {
  // DejaVu Sans: advance of M is 1767, of i 569, of a blank 651 units of 2048.
  t.equal(textWidth('Mi ', 2048), 1767 + 569 + 651);
  t.equal(textWidth('', 12), 0);
});

t.test('outlines take the place, colour and anchor of their text', async (t) => {
  const at = (anchor: string) =>
    outlineTexts(
      `<text text-anchor="${anchor}" transform="translate(5,6)" font-size="20.48px" fill="#123456">i</text>`,
    );
  t.match(at('start'), /^<path transform="translate\(5,6\) scale\(0\.01\)" fill="#123456" d="M0 0m/);
  t.match(at('end'), / d="M-569 0m/);
  t.match(at('middle'), / d="M-284 0m/);
  t.match(outlineTexts('<text font-size="10px">&lt;&amp;&gt;</text>'), /<path/);
});

t.test('a letter without an outline is left to the fonts of the machine', async (t) => {
  const svg = '<text font-size="10px">肺炎</text>';
  t.equal(outlineTexts(svg), svg);
});
