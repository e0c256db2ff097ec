import { distillationLoss } from '../../losses/distillation.js';
import type { InputBatch } from '../../training/batch.js';
import type { ExtraTerm } from '../../training/long-tail-objective.js';
import type { FeatureSet, TeacherFeatures } from './teacher-features.js';

/** How the student is drawn towards its teachers' vectors. */
export interface DistillationSettings {
  /** Which vectors. */
  readonly features: FeatureSet;
  /** Folder that holds them. */
  readonly featuresDir: string;
  /** Weight of the term; default 0.01. */
  readonly weight?: number;
  /** Weight in the validation loss; default: the same (the original used 0.05). */
  readonly validationWeight?: number;
  /** Share of each teacher, in the order of their files; default equal. */
  readonly shares?: readonly number[];
}

/** Defaults of {@link DistillationSettings}. */
export const defaultDistillationWeight = 0.01;

/** The distillation term of GazeLT's objective: weight times the shares' sum of KL(teacher ‖ student). */
export function distillationTerm(
  settings: DistillationSettings,
  features: { readonly train: TeacherFeatures; readonly val: TeacherFeatures },
): ExtraTerm {
  const { weight = defaultDistillationWeight, validationWeight = weight, shares } = settings;
  return {
    taps: ['fc.0'],
    term(taps, batch: InputBatch, { phase }) {
      const student = taps['fc.0'] as NonNullable<(typeof taps)[string]>;
      const teachers = features[phase].batch(batch.indices, batch.device);
      const loss = distillationLoss(student, teachers, shares === undefined ? {} : { shares });
      return loss.mul(phase === 'train' ? weight : validationWeight);
    },
  };
}
