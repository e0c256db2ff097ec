import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import type { Dataset, Sample } from '../../lib/data/dataset.js';
import { rng } from '../../lib/data/random.js';
import { Baseline } from '../../lib/systems/baseline.js';
import type { ClassifierOptions } from '../../lib/systems/classifier/classifier.js';
import type { FitOptions } from '../../lib/systems/classifier/fit.js';
import { GazeLT } from '../../lib/systems/gazelt/gazelt.js';
import { LocAttention } from '../../lib/systems/loc-attention/loc-attention.js';
import { threads } from '../../lib/tensor/create.js';

/** One thread, so that test files that run side by side do not wait for each other's. */
export const oneThread = threads(1);

/** The classes of {@link tinyDataset}. */
export const tinyClasses = ['upper', 'lower', 'left'] as const;

/** Side of the tiny images: the smallest that a backbone takes. */
export const tinySize = 32;

/** The pixels of a tiny image: noise, brighter in the half that its class names. */
export function tinyPixels(name: string, index: number, label: number): Uint8Array {
  const random = rng(1, name, index);
  return Uint8Array.from({ length: tinySize * tinySize }, (_, at) => {
    const [x, y] = [at % tinySize, Math.floor(at / tinySize)];
    const half = tinySize / 2;
    const bright = [y < half, y >= half, x < half][label];
    return Math.floor(random.uniform() * 80 + (bright ? 150 : 20));
  });
}

/** What can be changed about {@link tinyDataset}. */
export interface TinyOptions {
  /** Label of each sample; default 0, 1, 2, 0, 1, 2, ... */
  readonly labels?: readonly number[];
  /** Class names; default {@link tinyClasses}. */
  readonly classes?: readonly string[];
  /** Replaces some samples. */
  readonly replace?: (sample: Sample, index: number) => Sample;
}

/** A data set of grey images in memory. */
export function tinyDataset(name: string, length: number, options: TinyOptions = {}): Dataset {
  const { labels, classes = tinyClasses, replace = (sample: Sample) => sample } = options;
  return {
    name,
    classes,
    length,
    sample: (index) => {
      const label = labels ? (labels[index] as number) : index % classes.length;
      const id = `${name}-${index}.png`;
      const pixels = () => ({
        width: tinySize,
        height: tinySize,
        channels: 1 as const,
        data: tinyPixels(name, index, label),
      });
      return replace({ id, label, image: { kind: 'pixels', name: id, pixels } }, index);
    },
  };
}

const tiny = {
  classes: tinyClasses,
  architecture: 'resnet18',
  width: 8, // weights of 1 MB, not 45: they are written, hashed and read in every test of checkpoints
  imageSize: tinySize,
  init: 'random',
} as const;

/** An untrained student of the tiny classes. */
export async function tinyGazeLT(options: Partial<ClassifierOptions> = {}): Promise<GazeLT> {
  await oneThread;
  return GazeLT.create({ ...tiny, ...options });
}

/** An untrained baseline of the tiny classes. */
export async function tinyBaseline(options: Partial<ClassifierOptions> = {}): Promise<Baseline> {
  await oneThread;
  return Baseline.create({ ...tiny, ...options });
}

/** An untrained loc-attention classifier of the tiny classes. */
export async function tinyLocAttention(options: Partial<ClassifierOptions> = {}): Promise<LocAttention> {
  await oneThread;
  return LocAttention.create({ ...tiny, ...options });
}

/** Options of a fit of two epochs of three steps. */
export function tinyFit(options: Partial<FitOptions> = {}): FitOptions {
  return {
    train: tinyDataset('train', 12),
    validation: tinyDataset('validation', 6),
    maxEpochs: 2,
    batchSize: 4,
    learningRate: 1e-3,
    precision: 'float32',
    ...options,
  };
}

/** Changes to {@link tinyFit} with which the first epoch learns the classes, and the second spoils that for good. */
export const spoiltAfterFirst: Partial<FitOptions> = {
  train: tinyDataset('train', 48),
  learningRate: 3e-3,
  augment: false,
  deferred: { epoch: 1, factor: 1e4 },
};

/** A folder that goes with the test. */
export function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'cxr-gaze-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
