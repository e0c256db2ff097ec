import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Dataset, ImageSource, Sample } from '../../data/dataset.js';
import { listImages } from '../../data/image-files.js';
import { CxrGazeError } from '../../errors.js';
import { invalidArgument } from '../../validate.js';

/** An image in memory: an encoded file (PNG, JPEG, DICOM, ...) or a source of pixels. */
export type ImageBytes = Uint8Array | ImageSource;

/** What prediction takes: a path of a file or folder, an image in memory, or an array of these. */
export type ImageInput = string | ImageBytes | readonly (string | ImageBytes)[];

/** An input whose items have been checked. */
export type InputItems = readonly (string | ImageBytes)[];

/** Checks an input as far as that needs no file. @throws CxrGazeError `ERR_INVALID_ARGUMENT` */
export function checkInput(input: ImageInput): InputItems {
  const items: readonly unknown[] = Array.isArray(input) ? input : [input];
  if (items.length === 0) throw invalidArgument('input', 'at least one image', input);
  for (const [i, item] of items.entries()) {
    if (!isItem(item)) {
      const name = Array.isArray(input) ? `input[${i}]` : 'input';
      throw invalidArgument(name, 'a path, the bytes of an image file or an ImageSource', item);
    }
  }
  return items as InputItems;
}

function isItem(item: unknown): item is string | ImageBytes {
  if (typeof item === 'string') return item !== '';
  if (item instanceof Uint8Array) return true;
  if (typeof item !== 'object' || item === null) return false;
  const source = item as { readonly [key: string]: unknown };
  if (source.kind === 'file') return typeof source.path === 'string' && source.path !== '';
  if (typeof source.name !== 'string') return false;
  if (source.kind === 'bytes') return source.bytes instanceof Uint8Array;
  return source.kind === 'pixels' && typeof source.pixels === 'function';
}

/** The images of an input as a data set without labels (every label is 0). */
export async function inputDataset(items: InputItems, classes: readonly string[]): Promise<Dataset> {
  const samples: Sample[] = [];
  for (const [i, item] of items.entries()) samples.push(...(await samplesOf(item, i)));
  if (samples.length === 0) throw invalidArgument('input', 'at least one image', items);
  return {
    name: 'input',
    classes,
    length: samples.length,
    sample(index: number): Sample {
      const sample = samples[index];
      if (sample === undefined) throw invalidArgument('index', `an index below ${samples.length}`, index);
      return sample;
    },
  };
}

async function samplesOf(item: string | ImageBytes, position: number): Promise<Sample[]> {
  if (item instanceof Uint8Array) {
    return [
      { id: `image-${position}`, label: 0, image: { kind: 'bytes', name: `image-${position}`, bytes: item } },
    ];
  }
  if (typeof item === 'string') return samplesOfPath(path.resolve(item));
  const id = item.kind === 'file' ? item.path : item.name;
  return [{ id, label: 0, image: item }];
}

async function samplesOfPath(file: string): Promise<Sample[]> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new CxrGazeError('ERR_FILE', `${file}: expected an image file or a folder but found nothing`, {
      cause,
      details: { file },
    });
  });
  if (!found.isDirectory()) return [{ id: file, label: 0, image: { kind: 'file', path: file } }];
  const { images } = await listImages(file);
  return images.map((name) => {
    const full = path.resolve(file, name);
    return { id: full, label: 0, image: { kind: 'file', path: full } };
  });
}
