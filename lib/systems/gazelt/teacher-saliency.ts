import { type MeanWithInterval, meanWithInterval } from '../../metrics/mean.js';
import { type BootstrapSettings, type ResamplingUnits, resampleWeights } from '../../metrics/resample.js';

/** How alike a predicted and a recorded map are (gazelt.md 5). */
export interface SaliencyScores {
  /** Linear correlation coefficient of the two maps, -1 to 1, 0 for a map that is the same everywhere; more is better. */
  readonly cc: number;
  /** KL(recorded ‖ predicted), at least 0; less is better. */
  readonly kl: number;
  /** Normalised scanpath saliency: the predicted map in standard deviations at the fixations; more is better. */
  readonly nss: number;
}

/** What a predicted map is measured by: correlation, Kullback-Leibler divergence, normalised scanpath saliency. */
export type SaliencyMeasure = 'cc' | 'kl' | 'nss';

const saliencyMeasures: readonly SaliencyMeasure[] = ['cc', 'kl', 'nss'];

/** How well one window of one reading is predicted. */
export interface ReadingSaliency {
  /** By the teacher's map. */
  readonly teacher: SaliencyScores;
  /** By the mean training target of the same window; `null` where no readings were given for it. */
  readonly centreBias: SaliencyScores | null;
  /** By a map that is the same everywhere. */
  readonly uniform: SaliencyScores;
}

/** What is compared with the recorded maps. */
type Predictor = keyof ReadingSaliency;

/** The numbers of one time window. */
export interface WindowSaliency {
  /** From 0; `null` for the mean over the windows of each reading. */
  readonly window: number | null;
  /** Readings with a fixation in the window. */
  readonly readings: number;
  /** Of the teacher's maps. */
  readonly teacher: Readonly<Record<SaliencyMeasure, MeanWithInterval>>;
  /** Of the mean training target of the same window, the same for every film; `null` where no readings were given for it. */
  readonly centreBias: Readonly<Record<SaliencyMeasure, MeanWithInterval>> | null;
  /** Of a map that is the same everywhere. */
  readonly uniform: Readonly<Record<SaliencyMeasure, MeanWithInterval>>;
  /** Teacher minus centre bias, paired by reading; `null` where there is no centre bias. */
  readonly difference: Readonly<Record<SaliencyMeasure, MeanWithInterval>> | null;
}

/** One value a reading; NaN where it is not defined. */
type Column = Float64Array;

/** Scores of every reading, window and predictor as they come. */
export class SaliencyTable {
  readonly #readings: number;
  readonly #windows: number;
  readonly #columns = new Map<string, Column>();

  /** @param readings how many; @param windows how many */
  constructor(readings: number, windows: number) {
    this.#readings = readings;
    this.#windows = windows;
  }

  /** Enters the scores of one reading, window by window; `null` where a window has no fixation. */
  enter(reading: number, windows: readonly (ReadingSaliency | null)[]): void {
    for (const [window, all] of windows.entries())
      for (const [of, scores] of Object.entries(all ?? {}) as [Predictor, SaliencyScores | null][])
        if (scores !== null)
          for (const measure of saliencyMeasures)
            this.#column(of, measure, window)[reading] = scores[measure];
  }

  #column(of: Predictor, measure: SaliencyMeasure, window: number): Column {
    const name = `${of}/${measure}/${window}`;
    let column = this.#columns.get(name);
    if (!column) {
      column = new Float64Array(this.#readings).fill(Number.NaN);
      this.#columns.set(name, column);
    }
    return column;
  }

  /** A window's column, or for `null` the mean of each reading over its windows. */
  #values(of: Predictor, measure: SaliencyMeasure, window: number | null): Column {
    if (window !== null) return this.#column(of, measure, window);
    const columns = Array.from({ length: this.#windows }, (_, k) => this.#column(of, measure, k));
    return Float64Array.from({ length: this.#readings }, (_, i) => {
      const defined = columns.map((column) => column[i] as number).filter((value) => !Number.isNaN(value));
      return defined.reduce((sum, value) => sum + value, 0) / defined.length;
    });
  }

  /**
   * Means, paired differences and their percentile intervals: for each window, then over all.
   *
   * @param hasCentreBias whether there is a baseline
   * @param units what is drawn together
   * @param bootstrap of the intervals; `null` for none
   */
  summary(
    hasCentreBias: boolean,
    units: ResamplingUnits,
    bootstrap: BootstrapSettings | null,
  ): WindowSaliency[] {
    const resamples = bootstrap ? Array.from(resampleWeights(units, bootstrap), (w) => w.slice()) : [];
    const summed = (column: Column): MeanWithInterval =>
      meanWithInterval(column, resamples, bootstrap?.level ?? 0);
    const each = (column: (measure: SaliencyMeasure) => Column) => ({
      cc: summed(column('cc')),
      kl: summed(column('kl')),
      nss: summed(column('nss')),
    });
    const windows = [...Array.from({ length: this.#windows }, (_, k) => k), null];
    return windows.map((window) => {
      const of = (predictor: Predictor) => (measure: SaliencyMeasure) =>
        this.#values(predictor, measure, window);
      const paired = (measure: SaliencyMeasure): Column => {
        const baseline = of('centreBias')(measure);
        return of('teacher')(measure).map((value, i) => value - (baseline[i] as number));
      };
      return {
        window,
        readings: of('teacher')('kl').filter((value) => !Number.isNaN(value)).length,
        teacher: each(of('teacher')),
        centreBias: hasCentreBias ? each(of('centreBias')) : null,
        uniform: each(of('uniform')),
        difference: hasCentreBias ? each(paired) : null,
      };
    });
  }
}
