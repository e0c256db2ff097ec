"""Writes lib/report/glyph-outlines.ts: outlines of the letters that charts use, taken from DejaVu Sans.

    python3 scripts/dev/glyph-outlines.py /path/to/DejaVuSans.ttf > lib/report/glyph-outlines.ts

Needs fontTools. Coordinates are whole font units (2048 to the em) with y downwards, relative to the point before.
"""
import sys

from fontTools.pens.basePen import BasePen
from fontTools.ttLib import TTFont

RANGES = [(0x20, 0x7E), (0xA0, 0x17F), (0x384, 0x3CE), (0x401, 0x45F)]
EXTRA = "–—‘’“”„†•…‰′″‹›€−≈≠≤≥∞√∑→←↑↓\ufffd"

HEADER = '''/**
 * Outlines of the letters that charts use, so that a PNG shows its text on a machine without fonts, and the same text
 * on every machine. One line a letter: code point in hex, advance width, SVG path in relative font units (2048 to the em,
 * y downwards). Made by `scripts/dev/glyph-outlines.py` from DejaVu Sans, whose notice follows.
 *
 * Copyright (c) 2003 by Bitstream, Inc. All Rights Reserved. Bitstream Vera is a trademark of Bitstream, Inc.
 * DejaVu changes are in public domain.
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy of the fonts accompanying this license
 * ("Fonts") and associated documentation files (the "Font Software"), to reproduce and distribute the Font Software,
 * including without limitation the rights to use, copy, merge, publish, distribute, and/or sell copies of the Font
 * Software, and to permit persons to whom the Font Software is furnished to do so, subject to the following conditions:
 *
 * The above copyright and trademark notices and this permission notice shall be included in all copies of one or more of
 * the Font Software typefaces.
 *
 * The Font Software may be modified, altered, or added to, and in particular the designs of glyphs or characters in the
 * Fonts may be modified and additional glyphs or characters may be added to the Fonts, only if the fonts are renamed to
 * names not containing either the words "Bitstream" or the word "Vera".
 *
 * This License becomes null and void to the extent applicable to Fonts or Font Software that has been modified and is
 * distributed under the "Bitstream Vera" names.
 *
 * The Font Software may be sold as part of a larger software package but no copy of one or more of the Font Software
 * typefaces may be sold by itself.
 *
 * THE FONT SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO
 * ANY WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT OF COPYRIGHT, PATENT, TRADEMARK,
 * OR OTHER RIGHT. IN NO EVENT SHALL BITSTREAM OR THE GNOME FOUNDATION BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY,
 * INCLUDING ANY GENERAL, SPECIAL, INDIRECT, INCIDENTAL, OR CONSEQUENTIAL DAMAGES, WHETHER IN AN ACTION OF CONTRACT, TORT
 * OR OTHERWISE, ARISING FROM, OUT OF THE USE OR INABILITY TO USE THE FONT SOFTWARE OR FROM OTHER DEALINGS IN THE FONT
 * SOFTWARE.
 *
 * Except as contained in this notice, the names of Gnome, the Gnome Foundation, and Bitstream Inc., shall not be used in
 * advertising or otherwise to promote the sale, use or other dealings in this Font Software without prior written
 * authorization from the Gnome Foundation or Bitstream Inc., respectively. For further information, contact: fonts at
 * gnome dot org.
 */
export const glyphOutlines: string = `'''


class RelativePath(BasePen):
    """An SVG path with whole relative coordinates."""

    def __init__(self, glyphs):
        super().__init__(glyphs)
        self.parts, self.at, self.start, self.last = [], (0, 0), (0, 0), ""

    def emit(self, letter, *points):
        numbers = []
        for x, y in points:
            numbers += [round(x) - round(self.at[0]), round(self.at[1]) - round(y)]
        text = " ".join(map(str, numbers)).replace(" -", "-")
        joined = letter == self.last and letter != "m"
        self.parts.append((("" if text.startswith("-") else " ") if joined else letter) + text)
        self.at, self.last = points[-1], letter

    def _moveTo(self, p):
        self.emit("m", p)
        self.start = p

    def _lineTo(self, p):
        self.emit("l", p)

    def _qCurveToOne(self, c, p):
        self.emit("q", c, p)

    def _closePath(self):
        self.parts.append("z")
        self.at, self.last = self.start, "z"


def main():
    font = TTFont(sys.argv[1])
    glyphs, cmap = font.getGlyphSet(), font.getBestCmap()
    wanted = [c for a, b in RANGES for c in range(a, b + 1)] + [ord(c) for c in EXTRA]
    lines = []
    for code in sorted(set(wanted)):
        if code not in cmap:
            continue
        glyph = glyphs[cmap[code]]
        pen = RelativePath(glyphs)
        glyph.draw(pen)
        lines.append(f"{code:x} {glyph.width} {''.join(pen.parts)}".rstrip())
    print(HEADER + "\n".join(lines) + "`;")


main()
