/** How well a trained network's maps meet findings whose place is known, where one asks for that or the sample knows. */
import type { Dataset } from '../data/dataset.js';
import { someOf } from '../data/listed.js';
import { type FramedFindings, readNihBoxes } from '../data/nih-boxes.js';
import { PhantomTask } from '../data/phantom/tasks.js';
import type { MeanWithInterval } from '../metrics/mean.js';
import type { Classifier } from '../systems/classifier/classifier.js';
import {
  type FindingSource,
  framedFindings,
  type Localisation,
  type LocalisationMeans,
} from '../systems/classifier/localise.js';
import type { EvaluatedSplit, EvaluationSettings } from './evaluation.js';
import type { Output, Session } from './session.js';

/** The scores of one split. */
export interface LocalisedSplit {
  /** Its name. */
  readonly split: string;
  /** Class names in label order. */
  readonly classes: readonly string[];
  readonly localisation: Localisation;
}

/** What it takes besides the splits. */
export interface LocalisedOptions {
  /** NIH's frames, if they were named. */
  readonly frames: NamedFrames | undefined;
  readonly settings: Pick<EvaluationSettings, 'bootstrap' | 'onError' | 'precision'>;
  readonly session: Session;
  readonly output: Output;
}

/** Frames of findings, and the file that they come from. */
export interface NamedFrames {
  readonly file: string;
  readonly framed: FramedFindings;
}

/** Reads `BBox_List_2017.csv` of NIH where it is named; before anything that takes long. */
export async function namedFrames(file: string | undefined): Promise<NamedFrames | undefined> {
  return file === undefined ? undefined : { file, framed: await readNihBoxes(file) };
}

/** Measures the splits in which a finding is known, if any is. */
export async function localiseSplits(
  model: Classifier,
  evaluated: readonly EvaluatedSplit[],
  { frames, settings, session, output }: LocalisedOptions,
): Promise<LocalisedSplit[]> {
  const found: LocalisedSplit[] = [];
  for (const { split, dataset } of evaluated) {
    const findings = frames ? framedFindings(frames.framed, dataset) : undefined;
    if (!isKnown(dataset, findings)) {
      if (frames) output.warn('no-framed-finding', `${frames.file} frames no finding of ${split}'s images`);
      continue;
    }
    const { bootstrap, precision = 'float32', onError = 'throw' } = settings;
    const localisation = await model.localise(dataset, {
      ...{ bootstrap, precision, onError, signal: session.signal },
      ...(findings ? { findings } : {}),
    });
    sayWithoutPixel(split, localisation, output);
    found.push({ split, classes: dataset.classes, localisation });
    output.say(`${split}, where it looks: ${localisedRows({ split, localisation }).map(rowText).join('; ')}`);
    output.event({ type: 'localisation', split, ...meansOf(localisation, dataset.classes) });
  }
  return found;
}

function sayWithoutPixel(split: string, { withoutPixel: ids }: Localisation, output: Output): void {
  if (ids.length === 0) return;
  const message = `${split}: ${ids.length} framed findings hold no pixel of the network's input and are left out: ${someOf(ids)}`;
  output.warn('finding-without-pixel', message, { details: { split, ids } });
}

function isKnown(dataset: Dataset, findings: FindingSource | undefined): boolean {
  if (findings === undefined) return dataset instanceof PhantomTask && dataset.length > 0;
  return Array.from({ length: dataset.length }, (_, i) => i).some((i) => findings(i) !== undefined);
}

function rowText({ name, value }: { readonly name: string; readonly value: string }): string {
  return `${name} ${value}`;
}

/** The scores as `metrics.json` has them: means without the single images. */
export function meansOf(
  { all, correct, byClass }: Localisation,
  classes: readonly string[],
): Readonly<Record<string, LocalisationMeans | Readonly<Record<string, LocalisationMeans>>>> {
  return { all, correct, byClass: Object.fromEntries(classes.map((name, k) => [name, byClass[k]])) as never };
}

/** The scores as the report's facts have them. */
export function localisedRows({
  split,
  localisation: { all, correct },
}: Pick<LocalisedSplit, 'split' | 'localisation'>): { name: string; value: string }[] {
  const text = ({ mean, interval }: MeanWithInterval) => {
    const ends = interval ? ` (${interval.low.toFixed(3)} to ${interval.high.toFixed(3)})` : '';
    return `${mean?.toFixed(3) ?? '–'}${ends}`;
  };
  return [
    { name: `Energy in the finding, ${split}`, value: `${text(all.energy)}, ${all.images} images` },
    {
      name: `of those predicted right, ${split}`,
      value: `${text(correct.energy)}, ${correct.images} images`,
    },
    { name: `Pointing game, ${split}`, value: text(all.pointing) },
    { name: `IoU at half maximum, ${split}`, value: text(all.iou) },
  ];
}
