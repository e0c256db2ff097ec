import path from 'node:path';
import type { Dataset, Pixels } from '../data/dataset.js';
import { decodeImage } from '../data/decode.js';
import { listImages } from '../data/image-files.js';
import { imageSize } from '../data/image-size.js';
import { featureName } from '../data/image-table.js';
import { CxrGazeError } from '../errors.js';
import { text } from '../validate.js';
import type { FilmSize } from './reading.js';

/** Films of a folder, found by the name that gaze tables know them by. */
export class FilmFiles {
  /** Folder of the films. */
  readonly folder: string;
  readonly #files: ReadonlyMap<string, string>;

  private constructor(folder: string, files: ReadonlyMap<string, string>) {
    this.folder = folder;
    this.#files = files;
  }

  /**
   * Lists a folder and its subfolders.
   *
   * @param folder of the films
   * @throws `ERR_FILE` if it cannot be read; `ERR_DATASET` if two films have one name
   */
  static async open(folder: string): Promise<FilmFiles> {
    const { images } = await listImages(text('folder', folder));
    const files = new Map<string, string>();
    for (const image of images) enter(files, folder, featureName(image), image);
    return new FilmFiles(folder, files);
  }

  /**
   * The films of data sets; those that are not in files are left out.
   *
   * @param name what messages call them
   * @param datasets each film by the name of its sample; one film may be in several
   * @throws `ERR_DATASET` if two films have one name
   */
  static of(name: string, datasets: Iterable<Dataset>): FilmFiles {
    const files = new Map<string, string>();
    for (const dataset of datasets) {
      for (let i = 0; i < dataset.length; i++) {
        const { id, image } = dataset.sample(i);
        if (image.kind === 'file') enter(files, name, featureName(id), image.path);
      }
    }
    return new FilmFiles(name, files);
  }

  /** Names of the films. */
  get names(): readonly string[] {
    return [...this.#files.keys()];
  }

  /**
   * @param image name of a film
   * @returns its pixels; `undefined` if it is not in the folder
   */
  async pixels(image: string): Promise<Pixels | undefined> {
    const file = this.#files.get(image);
    return file === undefined
      ? undefined
      : decodeImage({ kind: 'file', path: path.resolve(this.folder, file) });
  }

  /**
   * Measures a film. The header suffices but for a DICOM file, which is decoded.
   *
   * @param image name of a film
   * @returns its size; `undefined` if it is not in the folder
   * @throws `ERR_FILE`, `ERR_IMAGE` if it is, but cannot be read
   */
  async size(image: string): Promise<FilmSize | undefined> {
    const file = this.#files.get(image);
    return file === undefined
      ? undefined
      : imageSize({ kind: 'file', path: path.resolve(this.folder, file) });
  }
}

function enter(files: Map<string, string>, folder: string, name: string, file: string): void {
  const before = files.get(name);
  files.set(name, file);
  if (before === undefined || before === file) return;
  throw new CxrGazeError('ERR_DATASET', `${folder}: two films are called '${name}': ${before} and ${file}`, {
    details: { folder, name, files: [before, file] },
  });
}
