import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { recoverFolder, replaceFolder, temporaryBeside, writeFileAtomic } from '../../checkpoints/atomic.js';
import { fileError } from '../../checkpoints/fault.js';
import { writeTensors } from '../../checkpoints/write-tensors.js';
import { CxrGazeError } from '../../errors.js';
import type { Model } from '../../models/model.js';
import { noGrad } from '../../tensor/context.js';
import type { Tensor } from '../../tensor/tensor.js';
import { tidy } from '../../tensor/tidy.js';
import { cardFile, cardToJson } from './model-card.js';
import type { Network } from './passes.js';

const weightsFile = 'model.safetensors';

/** Saves weights and card into a folder, in one step. @param target absolute path */
export async function saveClassifier({ model, card }: Network, target: string): Promise<void> {
  await refuseOther(target);
  const temporary = temporaryBeside(target);
  try {
    await mkdir(temporary, { recursive: true }).catch((cause: unknown) => {
      throw fileError(target, 'could not be made', cause);
    });
    await tidy(async () => {
      await writeTensors(path.join(temporary, weightsFile), await snapshot(model), { format: 'pt' });
    });
    await writeFileAtomic(path.join(temporary, cardFile), `${JSON.stringify(cardToJson(card), null, 2)}\n`);
    await replaceFolder(temporary, target);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

// All copies are queued at once, so that they are of one moment, between two steps of a training that may be going on.
async function snapshot(model: Model): Promise<Map<string, Tensor>> {
  const state = await model.stateDict();
  return noGrad(() => new Map([...state].map(([name, value]) => [name, value.clone()])));
}

// The folder is replaced as a whole: anything but a model saved before would be lost.
async function refuseOther(target: string): Promise<void> {
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
