import type { Fixation } from '../../gaze/reading.js';
import { integer, knownKeys } from '../../validate.js';
import { type Box, boundingBox } from '../box.js';
import type { Pixels } from '../dataset.js';
import { filmView, patientAnatomy } from './anatomy.js';
import { softTissue } from './chest.js';
import { Draw } from './draw.js';
import { expose } from './film.js';
import { makeFinding, phantomClasses, phantomShares } from './findings.js';
import { Geometry } from './geometry.js';
import { patientOf } from './patients.js';
import { scanpath } from './scanpath.js';
import { emptyScene, type Scene } from './scene.js';
import { skeleton } from './skeleton.js';
import { vessels } from './vessels.js';

/** Which phantoms to make. */
export interface PhantomOptions {
  /** Any integer from 0 to 2³² - 1; another seed gives other patients, films and findings. Default 1. */
  readonly seed?: number;
  /** Side of the square film in pixels, 64 to 1024. Default 128. */
  readonly size?: number;
}

/** Which phantom to make. */
export interface PhantomChoice extends PhantomOptions {
  /** Number of the phantom, from 0; the film depends on seed, index, label and size only. */
  readonly index: number;
  /**
   * Index into {@link phantomClasses}. Default: drawn from seed and index with the probabilities
   * {@link phantomShares}.
   */
  readonly label?: number;
}

/** A phantom chest radiograph with all that is known of it. Made by a program; not an image of anybody. */
export interface Phantom {
  /** `phantom-SEED-INDEX`, index with eight digits. */
  readonly id: string;
  /** Whose film it is; films of one patient share their anatomy. */
  readonly patient: string;
  /** Index into {@link phantomClasses}. */
  readonly label: number;
  /** Name of the class. */
  readonly finding: string;
  /** The film, 8-bit grey, air black; the patient's right side on the left as in any radiograph. */
  readonly pixels: Pixels;
  /** 255 within the lung fields, 0 elsewhere; heart and mediastinum left out, fluid in the lung field counted. */
  readonly lungMask: Uint8Array;
  /** 255 where the finding is, 0 elsewhere; all 0 for No Finding. */
  readonly findingMask: Uint8Array;
  /** The smallest rectangle around the finding; `null` for No Finding. */
  readonly box: Box | null;
  /** How a reader looked at the film, in order of time. */
  readonly fixations: readonly Fixation[];
}

/** A film and what lies where in it. */
export interface Film {
  /** The film. */
  readonly pixels: Pixels;
  /** The planes it was made on. */
  readonly scene: Scene;
}

/** Options after the defaults. */
export interface ResolvedOptions {
  /** As given or 1. */
  readonly seed: number;
  /** As given or 128. */
  readonly size: number;
}

/** Checks the two options that all makers of phantoms share. */
export function resolveOptions(options: PhantomOptions): ResolvedOptions {
  return {
    seed: integer('options.seed', options.seed ?? 1, { min: 0, max: 0xffffffff }),
    size: integer('options.size', options.size ?? 128, { min: 64, max: 1024 }),
  };
}

/** A label drawn with the probabilities of {@link phantomShares}. */
function drawLabel(seed: number, index: number): number {
  let rest = new Draw(seed, 'label', index).uniform(0, 1);
  for (const [label, share] of phantomShares.entries()) {
    rest -= share;
    if (rest < 0) return label;
  }
  return 0;
}

/**
 * Makes the film alone, which is most of the work and all that training needs.
 */
export function makeFilm(seed: number, index: number, label: number, size: number): Film {
  const scene = softParts(seed, index, label, size);
  vessels(scene, new Draw(seed, 'vessels', patientOf(index, seed)));
  skeleton(scene);
  const data = expose(scene, new Draw(seed, 'film', index));
  return { pixels: { width: size, height: size, channels: 1, data }, scene };
}

/** What decides where lungs and finding are: a film without vessels and bones, not yet exposed. */
function softParts(seed: number, index: number, label: number, size: number): Scene {
  const patient = patientOf(index, seed);
  const finding = makeFinding(label, new Draw(seed, 'finding', index, label));
  const usual = patientAnatomy(seed, patient);
  const geometry = new Geometry(finding?.anatomy?.(usual) ?? usual, filmView(seed, index), size);
  const scene = emptyScene(geometry);
  softTissue(scene, new Draw(seed, 'abdomen', index));
  finding?.apply(scene);
  return scene;
}

/** Where lungs and finding are: {@link Phantom.lungMask}, {@link Phantom.findingMask}, without the rest of the work. */
export function makeMasks(
  seed: number,
  index: number,
  label: number,
  size: number,
): Pick<Phantom, 'lungMask' | 'findingMask'> {
  const scene = softParts(seed, index, label, size);
  return { lungMask: lungFields(scene), findingMask: threshold(scene.finding) };
}

function threshold(plane: Float32Array): Uint8Array {
  const mask = new Uint8Array(plane.length);
  for (let i = 0; i < mask.length; i++) mask[i] = (plane[i] as number) >= 0.5 ? 255 : 0;
  return mask;
}

function lungFields({ lung, silhouette }: Scene): Uint8Array {
  const mask = new Uint8Array(lung.length);
  for (let i = 0; i < mask.length; i++) {
    mask[i] = (lung[i] as number) >= 0.5 && (silhouette[i] as number) < 0.5 ? 255 : 0;
  }
  return mask;
}

/**
 * The id of a phantom.
 */
export function phantomId(seed: number, index: number): string {
  return `phantom-${seed}-${String(index).padStart(8, '0')}`;
}

/** The name of a patient. */
export function patientName(patient: number): string {
  return String(patient + 1).padStart(8, '0');
}

/**
 * Makes one phantom chest radiograph with lung mask, finding, box and a reader's scanpath. The result depends on
 * nothing but the options, so any phantom of a set can be made alone and in any order.
 *
 * @param options which one
 * @returns the phantom
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for an option out of range or unknown
 * @example
 * ```ts
 * const { pixels, box, finding } = phantom({ seed: 7, index: 3, size: 256, label: 4 });
 * ```
 */
export function phantom(options: PhantomChoice): Phantom {
  knownKeys('options', options, ['seed', 'size', 'index', 'label']);
  const { seed, size } = resolveOptions(options);
  const index = integer('options.index', options.index, { min: 0, max: 0x7fffffff });
  const label =
    options.label === undefined
      ? drawLabel(seed, index)
      : integer('options.label', options.label, { min: 0, max: phantomClasses.length - 1 });
  const { pixels, scene } = makeFilm(seed, index, label, size);
  const findingMask = threshold(scene.finding);
  const box = boundingBox(findingMask, size);
  return {
    id: phantomId(seed, index),
    patient: patientName(patientOf(index, seed)),
    label,
    finding: phantomClasses[label] as string,
    pixels,
    lungMask: lungFields(scene),
    findingMask,
    box,
    fixations: scanpath(scene.geometry, findingMask, box, new Draw(seed, 'reader', index, label)),
  };
}
