import { LONG_TAILED_DATASETS, type LongTailedName } from '../../data/long-tailed.js';
import { oneOf } from '../../validate.js';

/**
 * The published results (GazeLT, arXiv 2508.09478, tables of NIH-CXR-LT and MIMIC-CXR-LT). The first fifteen rows are
 * those of the long-tail benchmark (Holste et al. 2022, `VITA-Group/LongTailCXR`), taken over without being run again.
 */
export interface PublishedFigures {
  /** Mean class accuracy of the head classes on the balanced test set. */
  readonly head: number;
  /** Of the medium classes. */
  readonly medium: number;
  /** Of the tail classes. */
  readonly tail: number;
  /** The column "Avg", which is not one quantity: {@link PublishedFigures.averageOf} tells which. */
  readonly average: number;
  /**
   * What `average` is the mean of, found by recomputation from the image counts: the three groups, all classes, or neither
   * (`null`).
   */
  readonly averageOf: 'groups' | 'classes' | null;
  /** Balanced accuracy on the imbalanced test set. */
  readonly balancedAccuracy: number;
}

/** The rows of the published tables by short names, in their order. */
export const publishedRows = [
  'softmax',
  'cb-softmax',
  'rw-softmax',
  'focal',
  'cb-focal',
  'rw-focal',
  'ldam',
  'cb-ldam',
  'cb-ldam-drw',
  'rw-ldam',
  'rw-ldam-drw',
  'mixup',
  'balanced-mixup',
  'crt',
  'tau-norm',
  'gazeradar',
  'radiotransformer',
  'gazelt',
] as const;

/** One of {@link publishedRows}. */
export type PublishedRow = (typeof publishedRows)[number];

/** Head, medium, tail, average, balanced accuracy. */
type Row = readonly [number, number, number, number, number];

const table: Readonly<Record<PublishedRow, Readonly<Record<LongTailedName, Row>>>> = {
  softmax: {
    'nih-cxr-lt': [0.419, 0.056, 0.017, 0.164, 0.115],
    'mimic-cxr-lt': [0.503, 0.039, 0.022, 0.188, 0.169],
  },
  'cb-softmax': {
    'nih-cxr-lt': [0.295, 0.415, 0.217, 0.309, 0.269],
    'mimic-cxr-lt': [0.493, 0.167, 0.222, 0.294, 0.227],
  },
  'rw-softmax': {
    'nih-cxr-lt': [0.248, 0.359, 0.258, 0.288, 0.26],
    'mimic-cxr-lt': [0.473, 0.139, 0.133, 0.249, 0.211],
  },
  focal: {
    'nih-cxr-lt': [0.362, 0.056, 0.042, 0.153, 0.122],
    'mimic-cxr-lt': [0.477, 0.044, 0.022, 0.181, 0.172],
  },
  'cb-focal': {
    'nih-cxr-lt': [0.371, 0.333, 0.117, 0.274, 0.232],
    'mimic-cxr-lt': [0.373, 0.117, 0.344, 0.278, 0.191],
  },
  'rw-focal': {
    'nih-cxr-lt': [0.286, 0.293, 0.117, 0.232, 0.197],
    'mimic-cxr-lt': [0.403, 0.283, 0.211, 0.299, 0.239],
  },
  ldam: { 'nih-cxr-lt': [0.41, 0.133, 0.142, 0.228, 0.178], 'mimic-cxr-lt': [0.497, 0.0, 0.0, 0.166, 0.165] },
  'cb-ldam': {
    'nih-cxr-lt': [0.357, 0.285, 0.208, 0.284, 0.235],
    'mimic-cxr-lt': [0.467, 0.161, 0.211, 0.28, 0.225],
  },
  'cb-ldam-drw': {
    'nih-cxr-lt': [0.476, 0.356, 0.25, 0.361, 0.281],
    'mimic-cxr-lt': [0.52, 0.156, 0.356, 0.344, 0.267],
  },
  'rw-ldam': {
    'nih-cxr-lt': [0.305, 0.419, 0.292, 0.338, 0.279],
    'mimic-cxr-lt': [0.437, 0.25, 0.167, 0.284, 0.243],
  },
  'rw-ldam-drw': {
    'nih-cxr-lt': [0.41, 0.367, 0.308, 0.362, 0.289],
    'mimic-cxr-lt': [0.447, 0.256, 0.311, 0.338, 0.275],
  },
  mixup: {
    'nih-cxr-lt': [0.419, 0.044, 0.017, 0.16, 0.118],
    'mimic-cxr-lt': [0.543, 0.011, 0.011, 0.189, 0.176],
  },
  'balanced-mixup': {
    'nih-cxr-lt': [0.443, 0.081, 0.108, 0.211, 0.155],
    'mimic-cxr-lt': [0.48, 0.039, 0.011, 0.177, 0.168],
  },
  crt: {
    'nih-cxr-lt': [0.433, 0.374, 0.3, 0.369, 0.294],
    'mimic-cxr-lt': [0.49, 0.306, 0.367, 0.387, 0.296],
  },
  'tau-norm': {
    'nih-cxr-lt': [0.457, 0.23, 0.083, 0.257, 0.214],
    'mimic-cxr-lt': [0.52, 0.167, 0.067, 0.251, 0.23],
  },
  gazeradar: {
    'nih-cxr-lt': [0.39, 0.074, 0.075, 0.187, 0.14],
    'mimic-cxr-lt': [0.527, 0.006, 0.0, 0.279, 0.174],
  },
  radiotransformer: {
    'nih-cxr-lt': [0.386, 0.093, 0.083, 0.193, 0.131],
    'mimic-cxr-lt': [0.493, 0.0, 0.0, 0.26, 0.164],
  },
  gazelt: {
    'nih-cxr-lt': [0.404, 0.411, 0.417, 0.41, 0.315],
    'mimic-cxr-lt': [0.48, 0.278, 0.489, 0.418, 0.292],
  },
};

function averageOf(row: PublishedRow, dataset: LongTailedName): PublishedFigures['averageOf'] {
  if (row === 'gazelt' || row === 'radiotransformer') return 'classes';
  if (row === 'gazeradar') return dataset === 'mimic-cxr-lt' ? 'classes' : null;
  return 'groups';
}

/**
 * The published figures of a row.
 *
 * @param row such as `rw-ldam-drw`
 * @param dataset whose table
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function publishedFigures(row: PublishedRow, dataset: LongTailedName): PublishedFigures {
  oneOf('row', row, publishedRows);
  oneOf('dataset', dataset, LONG_TAILED_DATASETS);
  const [head, medium, tail, average, balancedAccuracy] = table[row][dataset];
  return { head, medium, tail, average, averageOf: averageOf(row, dataset), balancedAccuracy };
}
