import { stat } from 'node:fs/promises';
import path from 'node:path';
import { recoverFolder } from '../checkpoints/atomic.js';
import { checkpointError, fileError } from '../checkpoints/fault.js';
import { CheckpointStore, verifyCheckpoint } from '../checkpoints/folder.js';
import { stateFile, weightsFile } from '../training/checkpoint.js';

/** Where a run keeps a model that was not trained in it, such as a τ-normalised one. */
export const modelFolder = 'model';

/** A folder with weights, and the file in it that says what they are. */
export interface FoundModel {
  /** Holds weights and card. */
  readonly folder: string;
  /** Name of the file of weights. */
  readonly weights: string;
  /** Name of the card's file: that of a saved model, or `state.json` of a checkpoint. */
  readonly card: string;
}

/**
 * Finds what a user means by a path: a saved model, a checkpoint, a folder of checkpoints, a run, or a file of weights with
 * its card beside it, `NAME.safetensors` and `NAME.json`.
 *
 * @param folder as given
 * @param cardFile what the card of a saved model is called
 * @throws CxrGazeError `ERR_CHECKPOINT` where it is none of these, or a run without a best epoch yet
 */
export async function findSaved(folder: string, cardFile: string): Promise<FoundModel> {
  await putBack(folder);
  for (const place of [folder, path.join(folder, modelFolder)])
    if (await exists(path.join(place, cardFile)))
      return { folder: place, weights: weightsFile, card: cardFile };
  if (await exists(path.join(folder, stateFile))) {
    await verifyCheckpoint(folder);
    return { folder, weights: weightsFile, card: stateFile };
  }
  if ((await stat(folder).catch(() => undefined))?.isFile())
    return (await isOwnWeights(folder, cardFile))
      ? findSaved(path.dirname(folder), cardFile)
      : besideCard(folder);
  for (const root of [folder, path.join(folder, 'checkpoints')]) {
    const store = new CheckpointStore(root);
    if (await exists(path.join(root, 'best')))
      return { folder: await store.open('best'), weights: weightsFile, card: stateFile };
    const last = await store.named('last');
    if (last === undefined) continue;
    throw checkpointError(
      root,
      `no epoch of this run has been the best one yet; its last checkpoint is ${path.join(root, last)}: load that folder, or go on with the run`,
    );
  }
  throw checkpointError(
    folder,
    `expected a saved model (${cardFile}), a checkpoint (state.json) or a run with checkpoints, but found none of these`,
  );
}

/** A crash between the two moves of a save leaves the old folder aside. */
async function putBack(folder: string): Promise<void> {
  if (!(await exists(folder))) await recoverFolder(path.resolve(folder));
}

/**
 * The folder of a saved system that a path means: itself, or that of its own file of weights, `model.safetensors` with the card
 * beside it.
 *
 * @param given folder or file
 * @param cardFile what the card of a saved system is called
 * @returns `undefined` for a file of weights alone
 * @throws CxrGazeError `ERR_FILE` where nothing is there
 */
export async function savedFolder(given: string, cardFile: string): Promise<string | undefined> {
  await putBack(given);
  const found = await stat(given).catch((cause: unknown) => {
    throw fileError(given, 'could not be examined', cause);
  });
  if (found.isDirectory()) return given;
  return (await isOwnWeights(given, cardFile)) ? path.dirname(given) : undefined;
}

async function isOwnWeights(file: string, cardFile: string): Promise<boolean> {
  if (path.basename(file) !== weightsFile) return false;
  const beside = [cardFile, stateFile].map((name) => exists(path.join(path.dirname(file), name)));
  return (await Promise.all(beside)).includes(true);
}

async function besideCard(file: string): Promise<FoundModel> {
  const [folder, weights] = [path.dirname(file), path.basename(file)];
  const card = `${path.basename(file, '.safetensors')}.json`;
  if (weights.endsWith('.safetensors') && (await exists(path.join(folder, card))))
    return { folder, weights, card };
  throw checkpointError(
    file,
    'a file of weights alone, which tells neither classes nor input size: expected a folder, or NAME.safetensors with its card NAME.json beside it. To begin with these weights, create a model with init: { weights: FILE } (--weights)',
  );
}

/**
 * The file of weights that a path stands for: the file itself, or that of the model in a folder ({@link findSaved}).
 *
 * @param given a `.safetensors`, `.pt`, `.pth` or `.bin` file, or a folder
 * @param cardFile what the card of a saved model is called
 */
export async function weightsFileOf(given: string, cardFile: string): Promise<string> {
  await putBack(given);
  const found = await stat(given).catch(() => undefined);
  if (!found?.isDirectory()) return given;
  const { folder, weights } = await findSaved(given, cardFile);
  return path.join(folder, weights);
}

/** Whether something is there. */
export async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
