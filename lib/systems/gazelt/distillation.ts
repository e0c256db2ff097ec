import type { Dataset } from '../../data/dataset.js';
import { distillationLoss } from '../../losses/distillation.js';
import { type Architecture, bottleneckTap } from '../../models/model.js';
import type { InputBatch } from '../../training/batch.js';
import type { ExtraTerm } from '../../training/long-tail-objective.js';
import type { GazeTeacher } from './teacher.js';
import type { FeatureSet, TeacherFeatures } from './teacher-features.js';

/** How the student is drawn towards its teachers' vectors: either from files, or from teachers at hand. */
export interface DistillationSettings {
  /** Which vectors are read; with {@link DistillationSettings.featuresDir}. */
  readonly features?: FeatureSet;
  /** Folder that holds them. */
  readonly featuresDir?: string;
  /**
   * Teachers that are asked for the vector of every film once, before the first epoch, without files; instead of
   * `features`. In the order of the shares; the original's is focal, global.
   */
  readonly teachers?: readonly GazeTeacher[];
  /**
   * The films as the teachers shall see them, sample for sample those of the fit, where another resolution is to be had;
   * default: the same data sets.
   */
  readonly teacherImages?: {
    /** The training films. */
    readonly train: Dataset;
    /** The validation films. */
    readonly validation: Dataset;
  };
  /** Films a batch for the teachers; default 16. */
  readonly teacherBatchSize?: number;
  /** Called as the teachers work through the films. */
  readonly onTeach?: (progress: {
    readonly dataset: string;
    readonly branch: string;
    readonly done: number;
    readonly total: number;
  }) => void;
  /** Weight of the term; default 0.01. */
  readonly weight?: number;
  /** Weight in the validation loss; default: the same (the original used 0.05). */
  readonly validationWeight?: number;
  /** Share of each teacher, in the order of `teachers` or of their files; default equal. */
  readonly shares?: readonly number[];
}

/** Defaults of {@link DistillationSettings}. */
export const defaultDistillationWeight = 0.01;

/** The distillation term of GazeLT's objective: weight times the shares' sum of KL(teacher ‖ student). */
export function distillationTerm(
  settings: Pick<DistillationSettings, 'weight' | 'validationWeight' | 'shares'>,
  features: { readonly train: TeacherFeatures; readonly val: TeacherFeatures },
  architecture: Architecture,
): ExtraTerm {
  const tap = bottleneckTap(architecture);
  const { weight = defaultDistillationWeight, validationWeight = weight, shares } = settings;
  return {
    taps: [tap],
    term(taps, batch: InputBatch, { phase }) {
      const student = taps[tap] as NonNullable<(typeof taps)[string]>;
      const teachers = features[phase].batch(batch.indices, batch.device);
      const loss = distillationLoss(student, teachers, shares === undefined ? {} : { shares });
      return loss.mul(phase === 'train' ? weight : validationWeight);
    },
  };
}
