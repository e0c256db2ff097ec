import { cleanText } from '../charts/names.js';

/** Text that is HTML already. Only {@link html} and {@link trusted} make it. */
export class Markup {
  /** The HTML. */
  readonly text: string;

  /** @param text HTML that needs no escaping any more */
  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in an {@link html} template. */
export type Content = Markup | string | number | null | undefined | false | readonly Content[];

/**
 * Template for HTML that escapes every value which is not HTML itself: class names, file names and options come from
 * people's files. Nothing, `false` and empty lists leave no trace.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(strings.map((part, i) => (i === 0 ? '' : render(values[i - 1])) + part).join(''));
}

/** Marks a string as HTML. Only for what this package drew or encoded itself. */
export function trusted(text: string): Markup {
  return new Markup(text);
}

function render(value: Content): string {
  if (value instanceof Markup) return value.text;
  if (value === null || value === undefined || value === false) return '';
  if (typeof value === 'object') return value.map(render).join('');
  return escapeHtml(String(value));
}

/** Escapes text for an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return cleanText(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
