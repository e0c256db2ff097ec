import { debuglog } from 'node:util';
import sharp from 'sharp';
import { CxrGazeError } from '../../errors.js';
import { outlineTexts, textWidth } from '../text-outlines.js';
import type { ChartTheme } from './theme.js';

/** A Vega-Lite specification, with its data inside. */
export type ChartSpec = Readonly<Record<string, unknown>>;

const debug = debuglog('cxr-gaze');

/** The parts of Vega that are used here; its own types do not cover rendering without a page. */
interface Vega {
  readonly None: number;
  readonly parse: (spec: unknown) => unknown;
  readonly View: new (runtime: unknown, options: { renderer: 'none'; logger: VegaLogger }) => VegaView;
  readonly renderModule: (name: 'svg') => { headless: new () => SvgRenderer };
  readonly textMetrics: { width: (item: TextItem, text?: unknown) => number };
}

interface VegaView {
  run(): VegaView;
  finalize(): void;
  origin(): [number, number];
  padding(): { left: number; right: number; top: number; bottom: number };
  scenegraph(): { root: unknown };
  readonly _viewWidth: number;
  readonly _viewHeight: number;
}

interface SvgRenderer {
  initialize(
    element: null,
    width: number,
    height: number,
    origin: [number, number],
    scale: number,
  ): SvgRenderer;
  background(color: string | null): SvgRenderer;
  render(scene: unknown): SvgRenderer;
  svg(): string;
}

interface TextItem {
  readonly text?: unknown;
  readonly fontSize?: number;
}

/** Vega logs to the console unless it is given something else to log to. */
interface VegaLogger {
  level(level?: number): VegaLogger | number;
  error(...message: unknown[]): VegaLogger;
  warn(...message: unknown[]): VegaLogger;
  info(...message: unknown[]): VegaLogger;
  debug(...message: unknown[]): VegaLogger;
}

function quietLogger(failures: unknown[]): VegaLogger {
  const logger: VegaLogger = {
    level: (level) => (level === undefined ? 0 : logger),
    error: (...message) => {
      failures.push(...message);
      return logger;
    },
    warn: (...message) => {
      debug('vega: %o', message);
      return logger;
    },
    info: () => logger,
    debug: () => logger,
  };
  return logger;
}

/**
 * Draws a chart as SVG. Vega is loaded at the first chart: it takes about as long as the rest of the package together.
 *
 * @param title what the chart shows, in a sentence, for those who cannot see it
 */
export async function renderSvg(spec: ChartSpec, theme: ChartTheme, title: string): Promise<string> {
  const [vega, { compile }] = await Promise.all([
    import('vega') as unknown as Promise<Vega>,
    import('vega-lite') as unknown as Promise<{
      compile: (spec: unknown, options: { logger: VegaLogger }) => { spec: unknown };
    }>,
  ]);
  const failures: unknown[] = [];
  const logger = quietLogger(failures);
  const compiled = compile({ ...spec, config: chartConfig(theme, spec.config) }, { logger }).spec;
  const svg = draw(vega, compiled, theme, logger);
  if (failures.length > 0) {
    throw new CxrGazeError('ERR_IMAGE', `The chart '${title}' cannot be drawn: ${String(failures[0])}`, {
      cause: failures[0],
    });
  }
  return svg.replace(/^<svg\b([^>]*)>/, (_, attributes: string) => {
    const kept = attributes.replace(/ class="[^"]*"/, '');
    return `<svg${kept} role="img" aria-label="${escapeAttribute(title)}">`;
  });
}

/**
 * Runs Vega from layout to text without giving way: its measure of text is one setting for the whole process, and is
 * ours only in between. (Without a canvas it would take every letter to be 0.8 em wide.)
 */
function draw(vega: Vega, compiled: unknown, theme: ChartTheme, logger: VegaLogger): string {
  const measured = vega.textMetrics.width;
  vega.textMetrics.width = (item, text) => textWidth(String(text ?? item.text ?? ''), item.fontSize ?? 11);
  const view = new vega.View(vega.parse(compiled), { renderer: 'none', logger });
  try {
    view.run();
    const Renderer = vega.renderModule('svg').headless;
    const { left, right, top, bottom } = view.padding();
    const [x, y] = view.origin();
    const width = Math.ceil(view._viewWidth + left + right);
    const height = Math.ceil(view._viewHeight + top + bottom);
    return new Renderer()
      .initialize(null, width, height, [x + left, y + top], 1)
      .background(theme.background)
      .render(view.scenegraph().root)
      .svg();
  } finally {
    vega.textMetrics.width = measured;
    view.finalize();
  }
}

/** The look that all charts share. */
function chartConfig(theme: ChartTheme, own: unknown): Record<string, unknown> {
  const text = { color: theme.muted, fontSize: 11, fontWeight: 'normal' };
  return {
    font: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
    aria: false,
    background: null,
    padding: 6,
    view: { stroke: null },
    axis: {
      labelColor: theme.muted,
      titleColor: theme.muted,
      titleFontWeight: 'normal',
      titleFontSize: 11,
      labelFontSize: 11,
      gridColor: theme.grid,
      domainColor: theme.grid,
      tickColor: theme.grid,
      labelLimit: 200,
      titlePadding: 8,
    },
    legend: {
      labelColor: theme.text,
      titleColor: theme.muted,
      titleFontWeight: 'normal',
      labelFontSize: 11,
      titleFontSize: 11,
      labelLimit: 240,
      symbolType: 'circle',
    },
    header: {
      labelColor: theme.text,
      titleColor: theme.muted,
      labelFontSize: 11,
      labelFontWeight: 'normal',
      labelLimit: 180,
    },
    title: { color: theme.text, fontSize: 13, fontWeight: 'bold', anchor: 'start', offset: 10 },
    text,
    ...(own as Record<string, unknown> | undefined),
  };
}

function escapeAttribute(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/**
 * Draws a chart as a PNG file, at twice its size in pixels. Its text needs no font on the machine.
 *
 * @returns the bytes of the file
 */
export async function renderPng(spec: ChartSpec, theme: ChartTheme, title: string): Promise<Uint8Array> {
  const svg = outlineTexts(await renderSvg(spec, theme, title));
  return sharp(Buffer.from(svg), { density: 144 }).png().toBuffer();
}
