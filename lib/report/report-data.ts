import type { RocCurve } from '../metrics/roc.js';
import type { GroupName, Metrics, Notice } from '../metrics/types.js';
import type { HistoryRow } from './history.js';

/** A value of an option as it is shown. */
export type OptionValue =
  | string
  | number
  | boolean
  | null
  | readonly OptionValue[]
  | { readonly [key: string]: OptionValue };

/** The numbers of one split. */
export interface ReportEvaluation {
  /** Name of the split, such as `balanced-test`. */
  readonly split: string;
  /** One sentence that says what the split is; default none. */
  readonly description?: string;
  /** Its metrics. */
  readonly metrics: Metrics;
  /** Its ROC curves, as `rocCurves` gives them; empty for none. */
  readonly roc: readonly RocCurve[];
}

/** One radiograph with what the network looked at. */
export interface GalleryItem {
  /** Which image: a file name or id. */
  readonly id: string;
  /** The radiograph: bytes of a PNG, JPEG or WebP file. */
  readonly image: Uint8Array;
  /** The radiograph under its heat map: bytes of a PNG, JPEG or WebP file. */
  readonly overlay: Uint8Array;
  /** True class; `null` where it is not known. */
  readonly truth: string | null;
  /** Predicted class. */
  readonly predicted: string;
  /** Probability of the predicted class. */
  readonly probability: number;
  /** Class whose evidence the heat map shows. Default the predicted one. */
  readonly explained?: string;
  /** Long-tail group of the true class. Default none. */
  readonly group?: GroupName | null;
}

/** All that a report shows. Systems return it as data; `renderReport` and `writeReport` make the page. */
export interface ReportData {
  /** Name of the run. */
  readonly title: string;
  /** What was trained on what, in a sentence. Default none. */
  readonly description?: string;
  /** When, as it shall be shown; the report never asks the clock. */
  readonly date: string;
  /** Facts of the run in order: precision, device, images, duration, versions. */
  readonly facts: readonly {
    /** What. */
    readonly name: string;
    /** In words or figures. */
    readonly value: string;
  }[];
  /** The exact options of the run. */
  readonly options: Readonly<Record<string, OptionValue>>;
  /** What a reader must know before the numbers, such as that distillation was off. */
  readonly notices: readonly Notice[];
  /** Rows of `history.csv`; empty where nothing was trained. */
  readonly history: readonly HistoryRow[];
  /** Epoch of the weights that were evaluated; `null` where nothing was trained. */
  readonly bestEpoch: number | null;
  /** Evaluated splits, the most important first. */
  readonly evaluations: readonly ReportEvaluation[];
  /** Explained radiographs; empty for none. */
  readonly gallery: readonly GalleryItem[];
}
