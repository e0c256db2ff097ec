/** What {@link scanJson} found wrong, and where (index into the text). */
export interface JsonFault {
  readonly kind: 'duplicate-key' | 'too-deep';
  readonly index: number;
  /** The key that occurs twice, decoded. */
  readonly key?: string;
}

interface Level {
  /** Keys seen, for an object; absent for an array. */
  readonly keys?: Set<string>;
  expectsKey: boolean;
}

/**
 * Looks for what `JSON.parse` hides: a key that occurs twice in one object (the last would win, so two readers could
 * see two different files in one), and nesting deeper than the format has. Whether the text is JSON at all is left to
 * `JSON.parse`.
 */
export function scanJson(text: string, maxDepth: number): JsonFault | undefined {
  const levels: Level[] = [];
  for (let i = 0; i < text.length; i++) {
    const top = levels.at(-1);
    switch (text[i]) {
      case '{':
        levels.push({ keys: new Set(), expectsKey: true });
        if (levels.length > maxDepth) return { kind: 'too-deep', index: i };
        break;
      case '[':
        levels.push({ expectsKey: false });
        if (levels.length > maxDepth) return { kind: 'too-deep', index: i };
        break;
      case '}':
      case ']':
        levels.pop();
        break;
      case ',':
        if (top?.keys) top.expectsKey = true;
        break;
      case '"': {
        const end = stringEnd(text, i);
        if (top?.keys && top.expectsKey) {
          const key = decode(text.slice(i, end + 1));
          if (key !== undefined && top.keys.has(key)) return { kind: 'duplicate-key', index: i, key };
          if (key !== undefined) top.keys.add(key);
          top.expectsKey = false;
        }
        i = end;
        break;
      }
      default:
    }
  }
  return undefined;
}

/** Index of the quote that closes the string opened at `start`, or the end of the text. */
function stringEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '"') return i;
  }
  return text.length;
}

/** Keys are compared decoded: `"a"` and `"\\u0061"` are the same key. */
function decode(literal: string): string | undefined {
  try {
    const key: unknown = JSON.parse(literal);
    return typeof key === 'string' ? key : undefined;
  } catch {
    return undefined;
  }
}
