import type { GroupName } from '../../metrics/types.js';

/**
 * The colours of a chart. A chart inside the page names CSS variables, so that it follows the reader's light or dark
 * setting and prints in light; a PNG needs the colours themselves.
 */
export interface ChartTheme {
  /** Titles and labels. */
  readonly text: string;
  /** Axis labels and remarks. */
  readonly muted: string;
  /** Grid lines. */
  readonly grid: string;
  /** Behind everything; `null` for the page's own. */
  readonly background: string | null;
  /** What a chart is about. */
  readonly accent: string;
  /** What it is compared with. */
  readonly contrast: string;
  /** Text on the accent colour. */
  readonly onAccent: string;
  /** Long-tail groups. */
  readonly groups: Readonly<Record<GroupName, string>>;
}

/** Colours by CSS variable. */
export const pageTheme: ChartTheme = {
  text: 'var(--text)',
  muted: 'var(--muted)',
  grid: 'var(--grid)',
  background: null,
  accent: 'var(--accent)',
  contrast: 'var(--contrast)',
  onAccent: 'var(--on-accent)',
  groups: { head: 'var(--head)', medium: 'var(--medium)', tail: 'var(--tail)' },
};

/** Colours for PNG files: dark on white. Groups and lines are told apart with any colour vision (Okabe and Ito). */
export const printTheme: ChartTheme = {
  text: '#1d2733',
  muted: '#5b6876',
  grid: '#e3e8ed',
  background: '#ffffff',
  accent: '#0b6aa8',
  contrast: '#c8570b',
  onAccent: '#ffffff',
  groups: { head: '#0b6aa8', medium: '#b97f06', tail: '#b8447f' },
};
