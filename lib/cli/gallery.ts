/** The radiographs that a report explains. */
import path from 'node:path';
import { writeFileAtomic, writeFolderAtomic } from '../checkpoints/atomic.js';
import { featureName } from '../data/image-table.js';
import type { GalleryItem } from '../report/report-data.js';
import type { Classifier } from '../systems/classifier/classifier.js';
import type { PrecisionChoice } from '../training/precision.js';
import type { EvaluatedSplit } from './evaluation.js';
import { pngOf, slug } from './png.js';
import type { Session } from './session.js';

/** At most so many. */
const mostExamples = 12;

/**
 * Explains the first image of each class of a split, chosen before anything is known of how it is predicted, and writes
 * the overlays to `cam/`.
 *
 * @returns what the report shows of them
 */
export async function explainExamples(
  folder: string,
  classifier: Classifier,
  { dataset, evaluation }: EvaluatedSplit,
  { session, precision = 'float32' }: { readonly session: Session; readonly precision?: PrecisionChoice },
): Promise<GalleryItem[]> {
  const kept = new Set(evaluation.ids);
  const samples = Array.from({ length: dataset.length }, (_, i) => dataset.sample(i)).filter(({ id }) =>
    kept.has(id),
  );
  const first = spread(
    dataset.classes.flatMap((_, k) => samples.find(({ label }) => label === k) ?? []),
    mostExamples,
  );
  const target = path.join(folder, 'cam');
  const items: GalleryItem[] = [];
  const groups = evaluation.metrics.perClass.map(({ group }) => group);
  const images = first.map(({ image }) => image);
  await writeFolderAtomic(target, async (temporary) => {
    for await (const explained of classifier.explain(images, { precision, signal: session.signal })) {
      const sample = first[items.length] as (typeof first)[number];
      const truth = dataset.classes[sample.label] as string;
      const [image, overlay] = await Promise.all([pngOf(explained.image), pngOf(explained.overlay)]);
      const { class: predicted, probability, explained: shown } = explained;
      await writeFileAtomic(
        path.join(temporary, `${slug(truth)}_${slug(featureName(sample.id))}.png`),
        overlay,
      );
      items.push({
        ...{ id: sample.id, image, overlay, truth, predicted, probability },
        ...{ explained: shown, group: groups[sample.label] ?? null },
      });
    }
  });
  return items;
}

// From the most frequent to the rarest class, both among them.
function spread<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from(
    { length: most },
    (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))] as T,
  );
}
