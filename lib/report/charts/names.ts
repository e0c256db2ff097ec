/** Longest class name that a chart shows whole. */
const longest = 40;

/**
 * Class names as charts show them: cleaned, shortened, and still distinct. They come from people's files, so they may hold
 * anything, and a character that XML does not allow makes the whole picture unreadable.
 */
export function displayNames(classes: readonly string[]): string[] {
  const taken = new Set<string>();
  return classes.map((name) => {
    const letters = [...cleanText(name)];
    const short = letters.length > longest ? `${letters.slice(0, longest - 1).join('')}…` : letters.join('');
    let unique = short;
    for (let copy = 2; taken.has(unique); copy++) unique = `${short} (${copy})`;
    taken.add(unique);
    return unique;
  });
}

/** Replaces what neither HTML nor XML can hold (control characters, half of a surrogate pair), and line breaks by blanks. */
export function cleanText(text: string): string {
  return text.replace(/[\t\n\r\u2028\u2029]+/g, ' ').replace(/[\p{Cc}\p{Surrogate}\ufffe\uffff]/gu, '\ufffd');
}
