/** Names for a message: at most twenty. @internal */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, 20).map((name) => `'${name}'`);
  return names.length > 20 ? `${shown.join(', ')} and ${names.length - 20} more` : shown.join(', ');
}

/** The first names of many, for a message. @internal */
export function someOf(names: readonly string[]): string {
  return `${listed(names.slice(0, 5))}${names.length > 5 ? ', ...' : ''}`;
}
