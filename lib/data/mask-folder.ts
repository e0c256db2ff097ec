import path from 'node:path';
import { CxrGazeError } from '../errors.js';
import { nearest, text } from '../validate.js';
import type { Dataset, ImageSource } from './dataset.js';
import { imageName } from './decode.js';
import { listImages } from './image-files.js';
import { featureName } from './image-table.js';
import { type NeededFiles, refuseMissing, shownExamples } from './needed-files.js';

/** What the Shenzhen masks are called besides their image. */
const suffix = '_mask';

/** A folder of masks, each found by the name of its image: `NAME.png` or `NAME_mask.png`, in any subfolder. */
export class MaskFolder {
  /** The folder, absolute. */
  readonly folder: string;
  readonly #files: ReadonlyMap<string, string>;

  private constructor(folder: string, files: ReadonlyMap<string, string>) {
    this.folder = folder;
    this.#files = files;
  }

  /**
   * Lists a folder of masks; no mask is opened.
   *
   * @throws CxrGazeError `ERR_FILE` if it cannot be read; `ERR_DATASET` if it has no mask, or two of one name
   */
  static async open(folder: string): Promise<MaskFolder> {
    const root = path.resolve(text('folder', folder));
    const { images } = await listImages(root);
    if (images.length === 0)
      throw new CxrGazeError('ERR_DATASET', `Expected masks in ${root} but found no image`, {
        details: { root },
      });
    const files = new Map<string, string>();
    for (const file of images) {
      const name = withoutSuffix(featureName(file));
      const other = files.get(name);
      if (other !== undefined)
        throw new CxrGazeError('ERR_DATASET', `${root} has two masks for ${name}: ${other} and ${file}`, {
          details: { root, name, files: [other, file] },
        });
      files.set(name, file);
    }
    return new MaskFolder(root, files);
  }

  /** Number of masks. */
  get length(): number {
    return this.#files.size;
  }

  /** Names of the images that have a mask, without extension. */
  get names(): string[] {
    return [...this.#files.keys()];
  }

  /** The mask of an image's name without extension. */
  find(name: string): ImageSource | undefined {
    const file = this.#files.get(name);
    return file === undefined ? undefined : { kind: 'file', path: path.join(this.folder, file) };
  }

  /**
   * @internal The images of a data set that have no mask.
   *
   * @param others whose masks lie in the same folder, so that these are not left over
   * @returns their places in the data set, and what {@link refuseMissing} takes: the first with the nearest name of a mask that
   *   is left over
   */
  lackingOf(
    dataset: Dataset,
    others: Iterable<Dataset> = [],
  ): { readonly indices: readonly number[]; readonly needed: NeededFiles } {
    const names = namesOf(dataset);
    const indices = [...names.keys()].filter((i) => !this.#files.has(names[i] as string));
    const wanted = new Set([names, ...[...others].map(namesOf)].flat());
    const unused = indices.length === 0 ? [] : this.names.filter((name) => !wanted.has(name));
    const missing = indices.map((index, n) => {
      const name = names[index] as string;
      const near = n < shownExamples ? nearest(name, unused) : undefined;
      const notes = near === undefined ? [] : [`left over: ${this.#files.get(near)}`];
      return { path: path.join(this.folder, `${name}.png`), notes };
    });
    return { indices, needed: { what: `masks of ${dataset.name}`, total: dataset.length, missing } };
  }

  /**
   * The mask of every image of a data set, by file name without extension.
   *
   * @returns the masks in order, and the names of masks that belong to no image
   * @throws CxrGazeError `ERR_DATASET` listing the images without a mask, with the nearest name of a mask that is left over; or
   *   naming two images that would share a mask
   */
  masksOf(dataset: Dataset): {
    /** The mask of each sample. */
    readonly masks: ImageSource[];
    /** Names of the masks that belong to no sample. */
    readonly unused: string[];
  } {
    const images = Array.from({ length: dataset.length }, (_, i) => imageName(dataset.sample(i).image));
    this.refuseShared(images);
    refuseMissing([this.lackingOf(dataset).needed]);
    const names = namesOf(dataset);
    const wanted = new Set(names);
    const unused = this.names.filter((name) => !wanted.has(name));
    return { masks: names.map((name) => this.find(name) as ImageSource), unused };
  }

  /**
   * @internal Refuses images that would share a mask: two files of one name are two films. A film itself may be there
   * twice, as with two readings of it.
   *
   * @param images paths or names of files
   * @throws CxrGazeError `ERR_DATASET`
   */
  refuseShared(images: readonly string[]): void {
    const owners = new Map<string, string>();
    for (const image of images) {
      const name = featureName(image);
      const other = owners.get(name);
      const mask = this.#files.get(name);
      if (other !== undefined && other !== image && mask !== undefined)
        throw new CxrGazeError(
          'ERR_DATASET',
          `${other} and ${image} would share the mask ${mask}: a mask is found by the name of its image, so these must differ`,
          { details: { root: this.folder, name, files: [other, image] } },
        );
      owners.set(name, image);
    }
  }
}

function namesOf(dataset: Dataset): string[] {
  return Array.from({ length: dataset.length }, (_, i) => featureName(imageName(dataset.sample(i).image)));
}

/** The name of the image that a mask of this name belongs to. */
export function withoutSuffix(name: string): string {
  return name.endsWith(suffix) && name.length > suffix.length ? name.slice(0, -suffix.length) : name;
}
