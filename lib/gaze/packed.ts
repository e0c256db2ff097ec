import type { Fixation, Reading } from './reading.js';

/** Numbers a row takes: x, y, start, end. */
const fields = 4;

/**
 * Fixations as rows of one array: 32 bytes each, where an object with four numbers takes four times that. Data sets hold
 * millions of samples.
 */
export class PackedFixations {
  #data = new Float64Array(32 * fields);
  #length = 0;

  /** Number of rows. */
  get length(): number {
    return this.#length;
  }

  /** Adds a row. An x of NaN marks a row that only counts for the time it takes. */
  push(x: number, y: number, start: number, end: number): void {
    const at = this.#length * fields;
    if (at === this.#data.length) {
      const larger = new Float64Array(2 * at);
      larger.set(this.#data);
      this.#data = larger;
    }
    this.#data[at] = x;
    this.#data[at + 1] = y;
    this.#data[at + 2] = start;
    this.#data[at + 3] = end;
    this.#length++;
  }

  /**
   * Puts the rows in order of their start or end; equal ones stay in their order.
   *
   * @returns rows that were earlier than the row before them
   */
  sort(by: 'start' | 'end'): number {
    const key = by === 'start' ? 2 : 3;
    const time = (row: number): number => this.#data[row * fields + key] as number;
    let unsorted = 0;
    for (let row = 1; row < this.#length; row++) if (time(row) < time(row - 1)) unsorted++;
    if (unsorted === 0) return 0;
    const order = Array.from({ length: this.#length }, (_, row) => row);
    order.sort((a, b) => time(a) - time(b) || a - b);
    const sorted = new Float64Array(this.#length * fields);
    for (const [to, from] of order.entries())
      sorted.set(this.#data.subarray(from * fields, (from + 1) * fields), to * fields);
    this.#data = sorted;
    return unsorted;
  }

  /**
   * Gives samples, which have a time stamp each (`end`), the time since the sample before; the first one since 0.
   * (The rule of GazeGNN.) The rows have to be in order.
   */
  sinceBefore(): void {
    let before = 0;
    for (let at = 0; at < this.#length * fields; at += fields) {
      this.#data[at + 2] = before;
      before = this.#data[at + 3] as number;
    }
  }

  /** Keeps the rows that `keep` accepts. */
  filter(keep: (x: number, start: number, end: number) => boolean): void {
    let to = 0;
    for (let at = 0; at < this.#length * fields; at += fields) {
      const [x, start, end] = [this.#data[at], this.#data[at + 2], this.#data[at + 3]] as [
        number,
        number,
        number,
      ];
      if (!keep(x, start, end)) continue;
      this.#data.copyWithin(to, at, at + fields);
      to += fields;
    }
    this.#length = to / fields;
  }

  /** Lets go of the room for further rows. */
  trim(): void {
    this.#data = this.#data.slice(0, this.#length * fields);
  }

  /** The rows as objects. */
  list(): readonly Fixation[] {
    return Array.from({ length: this.#length }, (_, row) => {
      const [x, y, start, end] = this.#data.subarray(row * fields, (row + 1) * fields) as unknown as [
        number,
        number,
        number,
        number,
      ];
      return { x, y, start, end };
    });
  }
}

/**
 * A reading whose list of fixations is made when it is asked for, and let go when nobody holds it any more.
 *
 * @param parts all but the fixations
 * @param rows no longer changed from here on
 */
export function packedReading(parts: Omit<Reading, 'fixations'>, rows: PackedFixations): Reading {
  const fixations = heldWeakly(() => rows.list());
  return {
    ...parts,
    get fixations() {
      return fixations();
    },
  };
}

/** What `make` makes, made again only after nobody held it any more. */
export function heldWeakly<T extends object>(make: () => T): () => T {
  let made: WeakRef<T> | undefined;
  return () => {
    const known = made?.deref();
    if (known) return known;
    const fresh = make();
    made = new WeakRef(fresh);
    return fresh;
  };
}
