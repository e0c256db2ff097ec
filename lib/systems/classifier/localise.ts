import { attentionMap, type GradientCamMethod, gradientCamMethods } from '../../cam/attention-map.js';
import { readMaps } from '../../cam/maps.js';
import { type Box, scaleBox } from '../../data/box.js';
import { type Dataset, requireDataset, subsetOf } from '../../data/dataset.js';
import type { FramedFinding, FramedFindings } from '../../data/nih-boxes.js';
import { PhantomTask } from '../../data/phantom/tasks.js';
import { holdsPixel, localisationScores, type Place } from '../../metrics/localisation.js';
import { type MeanWithInterval, meanWithInterval } from '../../metrics/mean.js';
import {
  type BootstrapOptions,
  bootstrapSettings,
  resampleWeights,
  resamplingUnits,
} from '../../metrics/resample.js';
import { tidy } from '../../tensor/tidy.js';
import { callable, invalidArgument, list, object, oneOf, text } from '../../validate.js';
import { openPass } from './classifier-pass.js';
import { sameClasses } from './evaluate.js';
import { type ClassifierLike, checkPass, type PassOptions, passOver } from './passes.js';

/** Where the finding of an image is known to be. */
export interface KnownFinding {
  /** Frames around it, in pixels of an image of the given size. */
  readonly boxes: readonly Box[];
  /** Columns of that image. */
  readonly width: number;
  /** Rows of that image. */
  readonly height: number;
}

/** Tells where the finding of a sample is; `undefined` where it is not known. */
export type FindingSource = (index: number) => KnownFinding | undefined;

/** Options of {@link Classifier.localise}. */
export interface LocaliseOptions extends PassOptions {
  /** Where the findings are: of every sample, by its index. Default for phantoms of a task: their own. */
  readonly findings?: FindingSource;
  /** How the map is made; default `gradcam`. */
  readonly method?: GradientCamMethod;
  /** Activation to explain: one of the model's taps; default its last feature map. */
  readonly layer?: string;
  /** Whose map: of the class that is `true` (default) or of the one `predicted`. */
  readonly explained?: 'true' | 'predicted';
  /** Percentile intervals of the means, by patient where all are known; `true` for 1000 resamples. Default none. */
  readonly bootstrap?: BootstrapOptions | boolean;
}

/** How well the map of one image meets its finding. */
export interface LocalisedImage {
  /** Id of the sample. */
  readonly id: string;
  /** Patient, where known. */
  readonly patient: string | null;
  /** True class. */
  readonly label: number;
  /** Predicted class. */
  readonly predicted: number;
  /** Share of the map's heat within the frames. */
  readonly energy: number;
  /** Share of the hottest pixels that lie within the frames: 1 or 0 where one is the hottest. */
  readonly pointing: number;
  /** Intersection over union of the frames and the map at half of its maximum. */
  readonly iou: number;
}

/** Means over images. */
export interface LocalisationMeans {
  /** Number of images. */
  readonly images: number;
  /** Of {@link LocalisedImage.energy}. */
  readonly energy: MeanWithInterval;
  /** Of {@link LocalisedImage.pointing}: the pointing game. */
  readonly pointing: MeanWithInterval;
  /** Of {@link LocalisedImage.iou}. */
  readonly iou: MeanWithInterval;
}

/** What {@link Classifier.localise} found. */
export interface Localisation {
  /** Each image whose finding is known. */
  readonly images: readonly LocalisedImage[];
  /** Ids of those left out because their frames hold no pixel of the network's input: too small, or off the image. */
  readonly withoutPixel: readonly string[];
  /** Means over all of them. */
  readonly all: LocalisationMeans;
  /** Means over those whose class was predicted. */
  readonly correct: LocalisationMeans;
  /** Means over those of each class, in class order. */
  readonly byClass: readonly LocalisationMeans[];
}

/** @internal */
export function localise(
  classifier: ClassifierLike,
  dataset: Dataset,
  options: LocaliseOptions,
): Promise<Localisation> {
  checkPass(options, ['findings', 'method', 'layer', 'explained', 'bootstrap']);
  requireDataset('dataset', dataset, 1);
  sameClasses(dataset, classifier.card.classes);
  const findings = options.findings ?? ownFindings(dataset);
  if (findings === undefined)
    throw invalidArgument(
      'options.findings',
      'where the findings are of data that do not tell',
      options.findings,
    );
  callable('options.findings', findings);
  const method = oneOf('options.method', options.method ?? 'gradcam', gradientCamMethods);
  if (options.layer !== undefined) text('options.layer', options.layer);
  const explained = oneOf('options.explained', options.explained ?? 'true', ['true', 'predicted']);
  bootstrapSettings(options.bootstrap);
  return measure(classifier, dataset, { ...options, findings, method, explained });
}

function ownFindings(dataset: Dataset): FindingSource | undefined {
  if (!(dataset instanceof PhantomTask)) return undefined;
  const { size } = dataset;
  return (index) => {
    const { finding } = dataset.boxes(index);
    return finding === null ? undefined : { boxes: [finding], width: size, height: size };
  };
}

/**
 * Where the findings of NIH's images are, by its list of frames: of the finding that an image's class names.
 *
 * @param framed as `readNihBoxes` gives it
 * @param dataset whose samples are called after their files, whatever folders are before the name
 * @param findings name of each class in the list, by class index; `null` for No Finding. Default: class names without a
 *   leading digit, as `1Effusion`
 */
export function framedFindings(
  framed: FramedFindings,
  dataset: Dataset,
  findings?: readonly (string | null)[],
): FindingSource {
  const { images, size } = object('framed', framed);
  if (!(images instanceof Map)) throw invalidArgument('framed.images', 'a Map', images);
  requireDataset('dataset', dataset);
  const names = findings ?? dataset.classes.map((name) => name.replace(/^\d+/, ''));
  if (list('findings', names, (_, name) => name).length !== dataset.classes.length)
    throw invalidArgument('findings', `${dataset.classes.length} names, one for each class`, names);
  return (index) => {
    const { id, label } = dataset.sample(index);
    const framedHere = (images.get(id.replace(/^.*\//, '')) ?? []) as readonly FramedFinding[];
    const boxes = framedHere.filter(({ finding }) => finding === names[label]).map(({ box }) => box);
    return boxes.length === 0 ? undefined : { boxes, width: size, height: size };
  };
}

type Measured = LocaliseOptions & Required<Pick<LocaliseOptions, 'findings' | 'method' | 'explained'>>;

async function measure(
  classifier: ClassifierLike,
  dataset: Dataset,
  options: Measured,
): Promise<Localisation> {
  const { card } = classifier;
  const { known, withoutPixel } = part(dataset, options.findings, card.imageSize);
  if (known.indices.length + withoutPixel.length === 0)
    throw invalidArgument('options.findings', `a finding of at least one image of ${dataset.name}`, 'none');
  using pass = await openPass(classifier, options.precision ?? 'float32');
  const images: LocalisedImage[] = [];
  const { onSkip } = options;
  const chosen: PassOptions = {
    ...options,
    onSkip: (image) => onSkip?.({ ...image, index: known.indices[image.index] as number }),
  };
  for await (const batch of passOver(classifier, known.dataset, chosen)) {
    const { maps, predicted } = await tidy(async () => {
      const explanation = pass.run(batch, (model, inputs) =>
        attentionMap(model, inputs, {
          method: options.method,
          ...(options.layer === undefined ? {} : { layer: options.layer }),
          ...(options.explained === 'true' ? { classes: batch.labels } : {}),
        }),
      );
      const rows = explanation.logits.argmax({ dim: 1 }).data();
      return { maps: await readMaps(explanation.maps), predicted: Array.from(await rows, Number) };
    });
    for (const [i, id] of batch.ids.entries()) {
      const at = batch.indices[i] as number;
      const map = maps[i] as (typeof maps)[number];
      const { label, patient = null } = known.dataset.sample(at);
      const scores = localisationScores(map, known.places[at] as Place);
      images.push({ id, patient, label, predicted: predicted[i] as number, ...scores });
    }
  }
  return { ...summary(images, card.classes.length, options.bootstrap), withoutPixel };
}

/** The samples whose finding is known, with its place in maps of `side`; and those whose frames hold none of their pixels. */
function part(dataset: Dataset, source: FindingSource, side: number) {
  const map = { width: side, height: side };
  const indices: number[] = [];
  const places: Place[] = [];
  const withoutPixel: string[] = [];
  for (let index = 0; index < dataset.length; index++) {
    const finding = source(index);
    if (finding === undefined) continue;
    const place = placeOf(
      finding.boxes.map((box) => scaleBox(box, finding, map)),
      map,
    );
    if (holdsPixel(`options.findings(${index})`, place, map)) {
      indices.push(index);
      places.push(place);
    } else withoutPixel.push(dataset.sample(index).id);
  }
  return { known: { indices, places, dataset: subsetOf(dataset, indices) }, withoutPixel };
}

/** One box as it is; several as the pixels whose centre lies in one of them. */
function placeOf(
  boxes: readonly Box[],
  { width, height }: { readonly width: number; readonly height: number },
): Place {
  const [first, ...others] = boxes as [Box, ...Box[]];
  if (others.length === 0) return first;
  const data = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [(i % width) + 0.5, Math.floor(i / width) + 0.5];
    const covers = (box: Box) => x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;
    if (boxes.some(covers)) data[i] = 1;
  }
  return { width, height, data };
}

function summary(
  images: readonly LocalisedImage[],
  classes: number,
  bootstrap: LocaliseOptions['bootstrap'],
): Omit<Localisation, 'withoutPixel'> {
  const means = (of: readonly LocalisedImage[]) => meansOf(of, bootstrap);
  return {
    images,
    all: means(images),
    correct: means(images.filter(({ label, predicted }) => label === predicted)),
    byClass: Array.from({ length: classes }, (_, k) => means(images.filter(({ label }) => label === k))),
  };
}

function meansOf(
  images: readonly LocalisedImage[],
  bootstrap: LocaliseOptions['bootstrap'],
): LocalisationMeans {
  const settings = images.length === 0 ? null : bootstrapSettings(bootstrap);
  const patients = images.map(({ patient }) => patient);
  const known = patients.every((patient) => patient !== null) ? (patients as string[]) : undefined;
  const resamples = settings
    ? Array.from(resampleWeights(resamplingUnits(images.length, known), settings), (weights) =>
        weights.slice(),
      )
    : [];
  const mean = (score: 'energy' | 'pointing' | 'iou') =>
    meanWithInterval(
      images.map((image) => image[score]),
      resamples,
      settings?.level ?? 0,
    );
  return { images: images.length, energy: mean('energy'), pointing: mean('pointing'), iou: mean('iou') };
}
