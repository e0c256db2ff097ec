import { type CsvRow, firstLine } from '../data/csv-text.js';
import { CxrGazeError } from '../errors.js';
import { number, oneOf } from '../validate.js';
import { noFilmKnown } from './film-sizes.js';
import { PackedFixations, packedReading } from './packed.js';
import { type GazeTable, isOnFilm, type Reading } from './reading.js';

/** Options of all readers of gaze data. */
export interface GazeReadOptions {
  /** What to do with places off the film: leave them out (default) or keep them. They are counted either way. */
  readonly offFilm?: 'filter' | 'keep';
  /**
   * Largest share of rows with a fault (no number, end before start, off the film) that is put up with, 0 to 1. Default
   * 0.05: more of them mean that columns, units or films do not fit.
   */
  readonly maxFaultShare?: number;
  /** Gives the reading up when it fires. */
  readonly signal?: AbortSignal;
  /** Called now and then with how much of the data was read, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/** Names of {@link GazeReadOptions}. @internal */
export const gazeReadOptionNames = ['offFilm', 'maxFaultShare', 'signal', 'onProgress'] as const;

/** A fault of a row, which leaves it out. */
type RowFault = 'notFinite' | 'endBeforeStart' | 'offFilm';

const faultTexts: Readonly<Record<RowFault, string>> = {
  notFinite: 'a number is missing or not finite',
  endBeforeStart: 'the end is before the start',
  offFilm: 'off the film',
};

/** Where a row is: of a table, or in words. */
type Where = CsvRow | string;

/** A recording that is being read. */
export class Recording {
  /** All but the fixations. */
  readonly parts: Omit<Reading, 'fixations'>;
  /** The rows so far. */
  readonly rows = new PackedFixations();
  readonly #builder: GazeTableBuilder;

  /** @param builder of the table; @param parts all but the fixations */
  constructor(builder: GazeTableBuilder, parts: Omit<Reading, 'fixations'>) {
    this.#builder = builder;
    this.parts = parts;
  }

  /** Adds a fixation, or counts what is wrong with it. Pixels of the film and seconds. */
  add(x: number, y: number, start: number, end: number, where: Where): void {
    const fault = this.#fault(x, y, start, end);
    if (fault) this.#builder.fault(fault, where);
    if (!fault || (fault === 'offFilm' && this.#builder.keepsOffFilm)) this.rows.push(x, y, start, end);
  }

  /** Adds a sample with a time stamp only. One off the film is kept for its time until all are there. */
  addSample(x: number, y: number, time: number, where: Where): void {
    const fault = this.#fault(x, y, time, time);
    if (fault) this.#builder.fault(fault, where);
    if (fault && fault !== 'offFilm') return;
    this.rows.push(fault && !this.#builder.keepsOffFilm ? Number.NaN : x, y, time, time);
  }

  #fault(x: number, y: number, start: number, end: number): RowFault | undefined {
    if (!(Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(start) && Number.isFinite(end)))
      return 'notFinite';
    if (end < start) return 'endBeforeStart';
    return isOnFilm(this.parts, x, y) ? undefined : 'offFilm';
  }
}

/** Gathers rows by recording, in bounded memory a row, and counts what is left out. */
export class GazeTableBuilder {
  /** Rows read. */
  rows = 0;
  readonly #name: string;
  readonly #keepsOffFilm: boolean;
  readonly #maxFaultShare: number;
  readonly #recordings = new Map<string, Recording>();
  readonly #filtered: Record<string, number> = { notFinite: 0, endBeforeStart: 0, offFilm: 0, unsorted: 0 };
  readonly #unknown = new Set<string>();
  #passedOver = 0;
  #example: string | undefined;

  /** @param name of the table in messages, its file as a rule */
  constructor(name: string, options: GazeReadOptions) {
    this.#name = name;
    this.#keepsOffFilm = oneOf('options.offFilm', options.offFilm ?? 'filter', ['filter', 'keep']) === 'keep';
    this.#maxFaultShare = number('options.maxFaultShare', options.maxFaultShare ?? 0.05, { min: 0, max: 1 });
  }

  /** Whether places off the film stay. */
  get keepsOffFilm(): boolean {
    return this.#keepsOffFilm;
  }

  /** The recording of an id, if it was begun. */
  recording(id: string): Recording | undefined {
    return this.#recordings.get(id);
  }

  /** Begins a recording; its id must be new. */
  begin(parts: Omit<Reading, 'fixations'>): Recording {
    const recording = new Recording(this, parts);
    this.#recordings.set(parts.id, recording);
    return recording;
  }

  /** Counts a row that is left out. */
  fault(kind: RowFault, where: Where): void {
    this.count(kind);
    if (this.#example !== undefined) return;
    const place = typeof where === 'string' ? where : `line ${firstLine(where)}`;
    this.#example = `${place} (${faultTexts[kind]})`;
  }

  /** Counts a row that is left out without a look at its numbers. */
  passOver(kind: string): void {
    this.count(kind);
    this.#passedOver++;
  }

  /** Counts a row of a film whose size nobody knows. */
  passOverFilm(image: string): void {
    this.passOver('unknownFilm');
    this.#unknown.add(image);
  }

  /** Counts something that is no fault. */
  count(kind: string, times = 1): void {
    this.#filtered[kind] = (this.#filtered[kind] ?? 0) + times;
  }

  /**
   * The table, its fixations in order of time.
   *
   * @param samples whether rows have a time stamp only
   * @throws `ERR_TABLE` if too many rows have faults, or there is no recording; `ERR_DATASET` if the size of no film is
   *   known
   */
  finish(samples = false): GazeTable {
    const readings: Reading[] = [];
    for (const { parts, rows } of this.#recordings.values()) {
      this.count('unsorted', rows.sort(samples ? 'end' : 'start'));
      if (samples) this.#samplesToSpans(parts.id, rows);
      rows.trim();
      readings.push(packedReading(parts, rows));
    }
    this.#refuseFaults();
    const unknownFilms = [...this.#unknown];
    if (readings.length === 0 && unknownFilms.length > 0) throw noFilmKnown(this.#name, unknownFilms);
    if (readings.length === 0)
      throw new CxrGazeError('ERR_TABLE', `${this.#name}: there is no recording in it`, {
        details: { file: this.#name },
      });
    return {
      ...{ name: this.#name, readings, filtered: this.#filtered, rows: this.rows },
      ...(unknownFilms.length > 0 ? { unknownFilms } : {}),
    };
  }

  #samplesToSpans(id: string, rows: PackedFixations): void {
    rows.sinceBefore();
    rows.filter((x, start, end) => {
      if (end < start) this.fault('endBeforeStart', `recording ${id}`);
      return end >= start && !Number.isNaN(x);
    });
  }

  #refuseFaults(): void {
    const { notFinite = 0, endBeforeStart = 0, offFilm = 0 } = this.#filtered;
    const faults = notFinite + endBeforeStart + offFilm;
    // Rows that were passed over must not thin the faults of the others.
    const checked = this.rows - this.#passedOver;
    if (faults <= this.#maxFaultShare * checked) return;
    const percent = (share: number): string => `${Number((100 * share).toFixed(1))} %`;
    throw new CxrGazeError(
      'ERR_TABLE',
      `${this.#name}: ${faults} of ${checked} rows (${percent(faults / checked)}) have faults, more than ${percent(this.#maxFaultShare)}: ${notFinite} with a number that is missing or not finite, ${endBeforeStart} that end before they start, ${offFilm} off the film. The first is ${this.#example}. Do columns, units and films fit? maxFaultShare allows more`,
      { details: { file: this.#name, rows: checked, notFinite, endBeforeStart, offFilm } },
    );
  }
}

/** A number as tables write it; NaN for anything else, also for an empty cell. */
export function cellNumber(text: string | undefined): number {
  return text !== undefined && /^\s*[-+]?[\d.]/.test(text) && !/[xXbBoO]/.test(text)
    ? Number(text)
    : Number.NaN;
}
