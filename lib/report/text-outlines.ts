import { glyphOutlines } from './glyph-outlines.js';

/** Font units to the em. */
const em = 2048;

/** A letter that the bundled outlines lack is taken to be as wide as this when text is measured. */
const unknownAdvance = 1400;

interface Glyph {
  readonly advance: number;
  readonly path: string;
}

let table: Map<number, Glyph> | undefined;

/** The outlines, parsed at the first use. */
function glyphs(): Map<number, Glyph> {
  table ??= new Map(
    glyphOutlines.split('\n').map((line) => {
      const [code, advance, path] = line.split(' ', 2).concat(line.split(' ').slice(2).join(' '));
      return [Number.parseInt(code as string, 16), { advance: Number(advance), path: path as string }];
    }),
  );
  return table;
}

/** Width of a text in pixels at a font size in pixels. */
export function textWidth(text: string, size: number): number {
  let units = 0;
  for (const letter of text)
    units += glyphs().get(letter.codePointAt(0) as number)?.advance ?? unknownAdvance;
  return (units * size) / em;
}

/**
 * Turns the `<text>` elements of a rendered chart into `<path>`s, so that it shows its text without any font. An element
 * with a letter that the outlines lack stays as it is and depends on the fonts of the machine.
 *
 * Knows exactly the markup that Vega writes: attributes in double quotes, escaped text without children.
 */
export function outlineTexts(svg: string): string {
  const filled = svg.replace(/<text\b[^>]*\/>/g, '');
  return filled.replace(/<text\b([^>]*)>([^<]*)<\/text>/g, (element, attributes: string, content: string) => {
    const letters = Array.from(unescapeXml(content), (letter) =>
      glyphs().get(letter.codePointAt(0) as number),
    );
    if (letters.some((glyph) => glyph === undefined)) return element;
    const read = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1];
    const size = Number.parseFloat(read('font-size') ?? '11');
    const scale = size / em;
    const width = letters.reduce((sum, glyph) => sum + (glyph as Glyph).advance, 0);
    const anchor = read('text-anchor');
    let x = anchor === 'middle' ? -width / 2 : anchor === 'end' ? -width : 0;
    let d = '';
    for (const glyph of letters as Glyph[]) {
      if (glyph.path !== '') d += `M${Math.round(x)} 0${glyph.path}`;
      x += glyph.advance;
    }
    const kept = ['fill', 'fill-opacity', 'opacity']
      .flatMap((name) => {
        const value = read(name);
        return value === undefined ? [] : [` ${name}="${value}"`];
      })
      .join('');
    return `<path transform="${read('transform') ?? ''} scale(${scale})"${kept} d="${d}"/>`;
  });
}

function unescapeXml(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
