import { rm } from 'node:fs/promises';

/** Deletes a folder that may not be there. */
export async function removeTree(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}
