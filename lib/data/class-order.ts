import type { DataWarning } from './data-warning.js';
import type { ImageTable } from './image-table.js';
import { listed } from './listed.js';

/** Names by decreasing count, equal counts by name (UTF-16 order, the same on every machine). @internal */
export function orderByFrequency(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([name]) => name);
}

/** A class that training never shows can be neither weighted nor learnt. @internal */
export function emptyClasses(train: ImageTable | undefined): DataWarning[] {
  const classes = train?.classes.filter((_, k) => train.classCounts[k] === 0) ?? [];
  if (classes.length === 0) return [];
  const message = `${classes.length === 1 ? 'A class has' : `${classes.length} classes have`} no training image: ${listed(classes)}`;
  return [{ kind: 'class-without-training-images', message, details: { classes } }];
}
