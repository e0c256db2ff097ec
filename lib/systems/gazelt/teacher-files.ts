import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, sweepTemporaries, writeFileAtomic } from '../../checkpoints/atomic.js';
import { type Json, readJson } from '../../checkpoints/folder.js';
import { writeNpy } from '../../checkpoints/npy.js';
import { writeTensors } from '../../checkpoints/write-tensors.js';
import { type Dataset, requireDataset, subsetOf } from '../../data/dataset.js';
import { featureName } from '../../data/image-table.js';
import type { SkippedImage } from '../../data/prepare.js';
import { CxrGazeError } from '../../errors.js';
import type { Tensor } from '../../tensor/tensor.js';
import { tidy } from '../../tensor/tidy.js';
import { resolvePrecision } from '../../training/precision.js';
import { text } from '../../validate.js';
import { checkPass, type PassOptions } from '../classifier/passes.js';
import { featureWidth } from './teacher-features.js';
import { isProjection, type TeacherLike, vectorsOver, weightsHash } from './teacher-vectors.js';

/** A film without a vector. */
export interface SkippedFilm extends SkippedImage {
  /** Index of the film in its data set. */
  readonly index: number;
  /** Index of that data set among those given. */
  readonly dataset: number;
}

/** Options of `GazeTeacher.features`. */
export interface TeacherFeatureOptions extends Omit<PassOptions, 'onSkip'> {
  /** Called for each film left out. */
  readonly onSkip?: (film: SkippedFilm) => void;
  /** Gets `BRANCH_NAME.npy` for each film, with the projection and a manifest beside; made if it is not there. */
  readonly folder: string;
}

/** What `GazeTeacher.features` did. */
export interface TeacherFeatureReport {
  /** Vectors written now. */
  readonly written: number;
  /** Films whose vector of the same teacher was there already. */
  readonly kept: number;
}

/** Where all of a branch's vectors in a folder come from. */
interface FeatureManifest {
  readonly [key: string]: Json;
  readonly format: 1;
  readonly branch: string;
  /** Hash of the teacher's block. */
  readonly teacher: string;
  /** Hash of the projection, whose weights lie beside. */
  readonly projection: string;
  /** Seed that the projection was made from. */
  readonly seed: number;
  readonly imageSize: number;
  readonly precision: string;
}

/**
 * Writes the vectors of all films of some data sets as `.npy` files, float32 (64,) (gazelt.md 2.4): in evaluation mode, all
 * through one projection, which is kept beside them (F2, F3). Vectors that are there already are kept if the folder's manifest
 * names the same teacher; so an interrupted extraction goes on where it was.
 *
 * @throws CxrGazeError `ERR_EXISTS` where the folder holds another teacher's vectors of this branch; `ERR_DATASET` where two
 *   films have the same name
 */
export function writeFeatures(
  teacher: TeacherLike,
  datasets: Dataset | readonly Dataset[],
  options: TeacherFeatureOptions,
): Promise<TeacherFeatureReport> {
  checkPass(options, ['folder']);
  const { folder, ...pass } = options;
  text('options.folder', folder);
  const all = Array.isArray(datasets) ? (datasets as readonly Dataset[]) : [datasets as Dataset];
  all.forEach((dataset, i) => {
    requireDataset(`datasets[${i}]`, dataset);
  });
  return write(teacher, all, folder, pass);
}

async function write(
  teacher: TeacherLike,
  all: readonly Dataset[],
  folder: string,
  pass: Omit<TeacherFeatureOptions, 'folder'>,
): Promise<TeacherFeatureReport> {
  const { branch } = teacher.card;
  const target = path.resolve(folder);
  const there = await openFolder(target, await manifestOf(teacher, pass), teacher);
  refuseDoubles(all);
  const wanted = all.map((dataset) => indicesWithout(dataset, branch, there));
  const total = all.reduce((sum, { length }) => sum + length, 0);
  const kept = total - wanted.reduce((sum, { length }) => sum + length, 0);
  let done = kept;
  let written = 0;
  pass.onProgress?.({ done, total });
  for (const [dataset, indices] of wanted.entries()) {
    if (indices.length === 0) continue;
    const before = done;
    const chosen: PassOptions = {
      ...pass,
      onProgress: ({ done: some }) => {
        done = before + some;
        pass.onProgress?.({ done, total });
      },
      onSkip: (film) => pass.onSkip?.({ ...film, index: indices[film.index] as number, dataset }),
    };
    const films = subsetOf(all[dataset] as Dataset, indices);
    for await (const { ids, vectors } of vectorsOver(teacher, films, chosen)) {
      await writeVectors(target, branch, ids, vectors);
      written += ids.length;
    }
  }
  return { written, kept };
}

async function writeVectors(
  folder: string,
  branch: string,
  ids: readonly string[],
  vectors: Float32Array,
): Promise<void> {
  await Promise.all(
    ids.map(async (id, i) => {
      const vector = vectors.subarray(i * featureWidth, (i + 1) * featureWidth);
      const bad = vector.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0)
        throw new CxrGazeError(
          'ERR_NOT_FINITE',
          `Expected finite numbers for ${id} but found ${vector[bad]}`,
        );
      await writeNpy(path.join(folder, `${branch}_${featureName(id)}.npy`), vector, [featureWidth]);
    }),
  );
}

async function manifestOf(
  { network, card, device }: TeacherLike,
  pass: Pick<PassOptions, 'precision'>,
): Promise<FeatureManifest> {
  return {
    format: 1,
    branch: card.branch,
    teacher: await weightsHash(network, 'block'),
    projection: await weightsHash(network, 'projection'),
    seed: card.seed,
    imageSize: card.imageSize,
    precision: await resolvePrecision(pass.precision ?? 'float32', device),
  };
}

/** The folder is this teacher's, or becomes it. @returns names of its vectors' files */
async function openFolder(
  folder: string,
  manifest: FeatureManifest,
  { network }: TeacherLike,
): Promise<Set<string>> {
  const { branch } = manifest;
  await makeFolder(folder);
  await sweepTemporaries(folder);
  const names = await readdir(folder);
  const vectors = new Set(names.filter((name) => name.startsWith(`${branch}_`) && name.endsWith('.npy')));
  const manifestName = `${branch}_manifest.json`;
  if (names.includes(manifestName)) {
    refuseOtherTeacher(folder, await readJson(path.join(folder, manifestName)), manifest);
    return vectors;
  }
  if (vectors.size > 0) {
    throw new CxrGazeError(
      'ERR_EXISTS',
      `${folder} holds ${vectors.size} vectors of ${branch} teachers but no ${manifestName} that tells whose they are: choose another folder`,
      { details: { folder } },
    );
  }
  await tidy(async () => {
    const state = [...(await network.stateDict())].filter(([key]) => isProjection(key));
    await writeTensors(
      path.join(folder, `${branch}_projection.safetensors`),
      new Map<string, Tensor>(state),
      {
        format: 'pt',
      },
    );
  });
  // Last: a folder with a manifest has its projection.
  await writeFileAtomic(path.join(folder, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
  return vectors;
}

function refuseOtherTeacher(
  folder: string,
  found: { readonly [key: string]: Json },
  manifest: FeatureManifest,
): void {
  const names = new Set([...Object.keys(found), ...Object.keys(manifest)]);
  const differing = [...names].filter((key) => found[key] !== manifest[key]);
  // Whatever seed it was once made from, it is the same projection.
  const changed = differing.includes('projection') ? differing : differing.filter((key) => key !== 'seed');
  if (changed.length === 0) return;
  const list = changed.map((key) => `${key}: ${short(found[key])} -> ${short(manifest[key])}`);
  throw new CxrGazeError(
    'ERR_EXISTS',
    `${folder} holds vectors of another ${manifest.branch} teacher or projection (${list.join('; ')}); all splits must come from one: choose another folder`,
    { details: { folder, changed } },
  );
}

function short(value: Json | undefined): string {
  const shown = typeof value === 'string' ? value : JSON.stringify(value ?? null);
  return shown.length > 16 ? `${shown.slice(0, 12)}...` : shown;
}

/** Indices of the films whose vectors are not there yet; their names are added, for a film may be in two splits. */
function indicesWithout(dataset: Dataset, branch: string, there: Set<string>): number[] {
  const indices: number[] = [];
  for (let index = 0; index < dataset.length; index++) {
    const name = `${branch}_${featureName(dataset.sample(index).id)}.npy`;
    if (there.has(name)) continue;
    there.add(name);
    indices.push(index);
  }
  return indices;
}

/** A film may be in two splits; two films of one name would share a file. */
function refuseDoubles(datasets: readonly Dataset[]): void {
  const known = new Map<string, string>();
  for (const dataset of datasets) {
    for (let index = 0; index < dataset.length; index++) {
      const { id } = dataset.sample(index);
      const name = featureName(id);
      const other = known.get(name);
      known.set(name, id);
      if (other === undefined || other === id) continue;
      throw new CxrGazeError(
        'ERR_DATASET',
        `${dataset.name}: ${other} and ${id} would share one file, for vectors are named ${name}`,
        { details: { name } },
      );
    }
  }
}
