import type { CheckpointStore } from '../checkpoints/folder.js';

/**
 * Which checkpoints of a run stay, and in which order they come and go: at any moment `last` and `best` name whole
 * checkpoints, so a kill between two steps loses nothing but what was being written.
 */
export class CheckpointKeeper {
  readonly #store: CheckpointStore;
  readonly #keep: 'recent' | 'all';
  readonly #improvements: string[] = [];
  #previous: string | undefined;

  /**
   * @param store where
   * @param keep `recent`: best, last and the one before; `all`: every improvement too
   */
  constructor(store: CheckpointStore, keep: 'recent' | 'all') {
    this.#store = store;
    this.#keep = keep;
  }

  /** Names of the checkpoints that were improvements when they were saved, oldest first. */
  get improvements(): readonly string[] {
    return this.#improvements;
  }

  /** Goes on from what a checkpoint tells of {@link CheckpointKeeper.improvements}. */
  restore(improvements: readonly string[]): void {
    this.#improvements.splice(0, Infinity, ...improvements);
  }

  /**
   * Adds a checkpoint, moves the pointers and deletes what need not stay.
   *
   * @param name such as `epoch-3`
   * @param improved whether it is the best so far
   * @param write adds it to the store and returns its folder; {@link CheckpointKeeper.improvements} names it already
   * @returns its folder
   */
  async add(name: string, improved: boolean, write: () => Promise<string>): Promise<string> {
    const store = this.#store;
    if (improved) this.#improvements.push(name);
    const folder = await write().catch((error: unknown) => {
      if (improved) this.#improvements.pop();
      throw error;
    });
    const last = await store.named('last');
    if (last !== name) this.#previous = last;
    if (improved) await store.point('best', name);
    await store.point('last', name);
    const best = await store.named('best');
    const improvements = this.#keep === 'all' ? this.#improvements : [];
    const kept = [name, this.#previous, best, ...improvements].filter((one) => one !== undefined);
    await store.prune(new Set(kept));
    return folder;
  }
}
