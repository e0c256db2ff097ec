import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { recoverFolder, writeFileAtomic, writeFolderAtomic } from '../checkpoints/atomic.js';
import { fileError } from '../checkpoints/fault.js';
import type { Json } from '../checkpoints/folder.js';
import { writeTensors } from '../checkpoints/write-tensors.js';
import { CxrGazeError } from '../errors.js';
import type { Network } from '../models/network.js';
import { noGrad } from '../tensor/context.js';
import type { Tensor } from '../tensor/tensor.js';
import { tidy } from '../tensor/tidy.js';
import { weightsFile } from '../training/checkpoint.js';

/**
 * Saves weights and card into a folder, in one step.
 *
 * @param network whose weights
 * @param target absolute path; a model saved there before is replaced
 * @param card what it is, and the name of the file that says so
 * @throws CxrGazeError `ERR_EXISTS` if the folder holds anything else
 */
export async function saveModel(
  network: Network,
  target: string,
  card: { readonly file: string; readonly content: { readonly [key: string]: Json } },
): Promise<void> {
  await refuseOther(target, card.file);
  await writeFolderAtomic(target, async (temporary) => {
    await tidy(async () => {
      await writeTensors(path.join(temporary, weightsFile), await snapshot(network), { format: 'pt' });
    });
    await writeFileAtomic(path.join(temporary, card.file), `${JSON.stringify(card.content, null, 2)}\n`);
  });
}

/** A copy of a network's state, of one moment between two steps of a training that may be going on. */
export async function snapshot(network: Network): Promise<Map<string, Tensor>> {
  const state = await network.stateDict();
  // All copies are queued at once.
  return noGrad(() => new Map([...state].map(([name, value]) => [name, value.clone()])));
}

// The folder is replaced as a whole: anything but a model saved before would be lost.
async function refuseOther(target: string, cardFile: string): Promise<void> {
  await recoverFolder(target);
  const names = await readdir(target).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    if (cause.code === 'ENOTDIR') return [path.basename(target)];
    throw fileError(target, 'could not be listed', cause);
  });
  const other = names.find((name) => name !== cardFile && name !== weightsFile);
  if (other === undefined) return;
  throw new CxrGazeError(
    'ERR_EXISTS',
    `Expected an empty folder or a saved model at ${target} but found ${other}`,
    { details: { file: target, found: other } },
  );
}
