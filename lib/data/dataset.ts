import { integer, invalidArgument, object } from '../validate.js';

/** 8-bit pixels, row-major, channels interleaved. */
export interface Pixels {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** 1 = grey, 3 = RGB. */
  readonly channels: 1 | 3;
  /** `width * height * channels` values, 0 to 255. */
  readonly data: Uint8Array;
}

/** @internal Refuses pixels whose data do not have the size that they tell. */
export function requirePixels(name: string, value: unknown): Pixels {
  const image = object(name, value as Pixels);
  const { width, height, channels, data } = image;
  if (data?.length === width * height * channels) return image;
  throw invalidArgument(`${name}.data`, `${width} x ${height} x ${channels} bytes`, data?.length);
}

/** An image that lies in a file. */
export interface FileSource {
  /** Tells this kind of source apart. */
  readonly kind: 'file';
  /** Absolute path. */
  readonly path: string;
}

/** An encoded image file (PNG, JPEG, TIFF, WebP, DICOM) that is in memory, such as an upload. */
export interface BytesSource {
  /** Tells this kind of source apart. */
  readonly kind: 'bytes';
  /** What error messages call it. */
  readonly name: string;
  /** The bytes of the file. */
  readonly bytes: Uint8Array;
}

/** Pixels that are made on demand, such as a phantom's. */
export interface PixelsSource {
  /** Tells this kind of source apart. */
  readonly kind: 'pixels';
  /** What error messages call it. */
  readonly name: string;
  /** Makes the pixels; the same pixels at every call. */
  readonly pixels: () => Pixels | Promise<Pixels>;
}

/** Where an image comes from. */
export type ImageSource = FileSource | BytesSource | PixelsSource;

/** One row of a data set: an image and what is known of it. Nothing is decoded yet. */
export interface Sample {
  /** Unique within the data set. */
  readonly id: string;
  /** Where the image comes from. */
  readonly image: ImageSource;
  /** Index into {@link Dataset.classes}. */
  readonly label: number;
  /** Whose image it is; text, because leading zeros count. */
  readonly patient?: string;
}

/** A fixed sequence of samples. Write your own by implementing these four members. */
export interface Dataset {
  /** What messages and reports call it. */
  readonly name: string;
  /** Class names; the index is the label. */
  readonly classes: readonly string[];
  /** Number of samples. */
  readonly length: number;
  /**
   * @param index 0 to `length - 1`
   * @returns the sample; the same one at every call
   */
  sample(index: number): Sample;
  /**
   * @param index 0 to `length - 1`
   * @returns what error messages add to an image's name, such as `labels.csv, line 17`
   */
  origin?(index: number): string;
}

/**
 * Refuses what is no data set, as far as that can be told without asking for a sample.
 *
 * @param name of the argument, for the message
 * @param value what was given
 * @param least fewest samples that will do
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 * @internal
 */
export function requireDataset(name: string, value: unknown, least = 0): void {
  const dataset = value as Partial<Dataset> | null | undefined;
  const fits =
    typeof dataset === 'object' &&
    dataset !== null &&
    typeof dataset.sample === 'function' &&
    Array.isArray(dataset.classes);
  if (!fits) throw invalidArgument(name, 'a Dataset', value);
  integer(`${name}.length`, dataset.length, { min: least });
}

/**
 * Some samples of a data set, as a data set of the same name and classes.
 *
 * @param indices of the samples, in the order wanted
 * @internal
 */
export function subsetOf(dataset: Dataset, indices: readonly number[]): Dataset {
  const { name, classes } = dataset;
  const at = (index: number): number => {
    const found = indices[index];
    if (found !== undefined) return found;
    throw invalidArgument('index', `an index below ${indices.length}`, index);
  };
  return {
    name,
    classes,
    length: indices.length,
    sample: (index) => dataset.sample(at(index)),
    ...(dataset.origin ? { origin: (index: number) => dataset.origin?.(at(index)) ?? '' } : {}),
  };
}
