import { type CamActivations, type CamTarget, camActivations } from '../../cam/attention-map.js';
import type { Json } from '../../checkpoints/folder.js';
import { CxrGazeError } from '../../errors.js';
import { attentionDefaults, tauRange } from '../../losses/attention-defaults.js';
import { flag, invalidArgument, list, number, oneOf } from '../../validate.js';

/** The values of {@link AttentionTermOptions.attention}. */
export const attentionForms = ['published', 'differentiable', 'none'] as const;

/** Which attention term a loss has. */
export type AttentionForm = (typeof attentionForms)[number];

/** The values of {@link AttentionTermOptions.camClass}. */
export const camClasses = ['predicted', 'label'] as const;

/** The values of {@link AttentionTermOptions.select}. */
export const selections = ['accuracy', 'balancedAccuracy', 'auroc', 'loss', 'crossEntropy'] as const;

/** The values of {@link AttentionTermOptions.follow}. */
export const followedLosses = ['loss', 'crossEntropy'] as const;

/** What of a fit says how the loss looks at where the network looks, and what is made of it. */
export interface AttentionTermOptions extends Pick<CamTarget, 'activations'> {
  /**
   * The attention term. `published`: the original's count of hot pixels, which **has no gradient**: it changes the logged loss
   * and through it the rate, and the weights learn from cross-entropy alone. `differentiable`: a soft count with a gradient, so
   * that the network learns where to look. `none`: cross-entropy alone, no boxes are needed. Default `published`.
   */
  readonly attention?: AttentionForm;
  /** λ, the weight of cross-entropy, from 0 to 1; the attention term has 1 - λ. Needed unless adaptive or without the term. */
  readonly lambda?: number;
  /** λ falls with the epochs: 1 in the first, 0.023 less in each, 0.2 at least. A given λ is then ignored. Default `false`. */
  readonly adaptive?: boolean;
  /** What is hot: a map above it; 0 to 1, default 0.3. */
  readonly threshold?: number;
  /** τ of the differentiable form: how soft a pixel's being hot is, sigmoid((map - threshold) / τ). Default 0.1. */
  readonly tau?: number;
  /** μ of the differentiable form, at least 0: weight of the heat outside the region. Default 0: a map hot everywhere is perfect. */
  readonly penaliseOutside?: number;
  /**
   * Whose map is looked at: of the class that the network `predicted`, as the original, or of the `label`. Default `predicted`
   * for the published form, `label` for the differentiable one.
   */
  readonly camClass?: (typeof camClasses)[number];
  /** By which number on the validation images the best epoch is chosen; default `accuracy`, as the original. */
  readonly select?: (typeof selections)[number];
  /**
   * Which validation loss lowers the rate. Default `loss` for the published form, as the original, and `crossEntropy` for the
   * differentiable one: an adaptive λ makes losses of two epochs incomparable. Without `validationAttention` it is
   * `crossEntropy`, for there is no other.
   */
  readonly follow?: (typeof followedLosses)[number];
  /** Whether attention is measured on the validation images too; default `true`. */
  readonly validationAttention?: boolean;
  /** Thresholds at which the published term is logged besides, such as `[0.1, 0.5, 0.9]`; default none. */
  readonly logThresholds?: readonly number[];
}

/** Names of {@link AttentionTermOptions}. */
export const attentionKeys: readonly (keyof AttentionTermOptions)[] = [
  ...(['attention', 'lambda', 'adaptive', 'threshold', 'tau', 'penaliseOutside', 'camClass'] as const),
  ...(['activations', 'select', 'follow', 'validationAttention', 'logThresholds'] as const),
];

/** {@link AttentionTermOptions} with every value there: recorded with a run, and compared on resume. */
export type AttentionSettings = {
  readonly [key: string]: Json;
  readonly attention: AttentionForm;
  /** `null` for an adaptive λ, and without the term. */
  readonly lambda: number | null;
  readonly adaptive: boolean;
  readonly threshold: number;
  readonly tau: number;
  readonly penaliseOutside: number;
  readonly camClass: (typeof camClasses)[number];
  readonly activations: CamActivations;
  readonly select: (typeof selections)[number];
  readonly follow: (typeof followedLosses)[number];
  readonly validationAttention: boolean;
  readonly logThresholds: readonly number[];
};

/**
 * Checks the options of the attention term. What would be without effect is refused, not ignored.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function attentionSettings(options: AttentionTermOptions): AttentionSettings {
  const attention = oneOf('options.attention', options.attention ?? 'published', attentionForms);
  refuseIdle(options, attention);
  const adaptive = flag('options.adaptive', options.adaptive ?? false);
  const share = { min: 0, max: 1 };
  const isSoft = attention === 'differentiable';
  const validationAttention = flag('options.validationAttention', options.validationAttention ?? true);
  const followed = isSoft || !validationAttention ? 'crossEntropy' : 'loss';
  const settings = {
    attention,
    lambda: lambdaOf(options, attention, adaptive),
    adaptive,
    threshold: number('options.threshold', options.threshold ?? attentionDefaults.threshold, share),
    tau: number('options.tau', options.tau ?? attentionDefaults.tau, tauRange),
    penaliseOutside: number('options.penaliseOutside', options.penaliseOutside ?? 0, { min: 0 }),
    camClass: oneOf('options.camClass', options.camClass ?? (isSoft ? 'label' : 'predicted'), camClasses),
    activations: oneOf('options.activations', options.activations ?? 'before_relu', camActivations),
    select: oneOf('options.select', options.select ?? 'accuracy', selections),
    follow: oneOf('options.follow', options.follow ?? followed, followedLosses),
    validationAttention,
    logThresholds: list('options.logThresholds', options.logThresholds ?? [], (name, value) =>
      number(name, value, share),
    ),
  };
  const { logThresholds, select, follow } = settings;
  const twice = logThresholds.findIndex((t, i) => logThresholds.indexOf(t) !== i);
  if (twice >= 0)
    throw invalidArgument(
      `options.logThresholds[${twice}]`,
      'a threshold that did not occur before',
      logThresholds[twice],
    );
  if (attention !== 'none' && !validationAttention && (select === 'loss' || follow === 'loss')) {
    throw new CxrGazeError(
      'ERR_INVALID_ARGUMENT',
      `Expected options.validationAttention with options.${select === 'loss' ? 'select' : 'follow'} 'loss': the loss of the validation images holds their attention`,
    );
  }
  return settings;
}

const softOnly = ['tau', 'penaliseOutside'] as const;
const termOnly = [
  ...(['lambda', 'adaptive', 'threshold', 'camClass', 'activations'] as const),
  ...(['validationAttention', 'logThresholds'] as const),
  ...softOnly,
];

function refuseIdle(options: AttentionTermOptions, attention: AttentionForm): void {
  if (attention === 'differentiable') return;
  const idle = (attention === 'none' ? termOnly : softOnly).find((name) => options[name] !== undefined);
  if (idle === undefined) return;
  throw new CxrGazeError(
    'ERR_INVALID_ARGUMENT',
    `Expected no options.${idle} with options.attention '${attention}'; it would be without effect`,
  );
}

function lambdaOf(
  { lambda }: AttentionTermOptions,
  attention: AttentionForm,
  adaptive: boolean,
): AttentionSettings['lambda'] {
  const given = lambda === undefined ? null : number('options.lambda', lambda, { min: 0, max: 1 });
  if (attention === 'none' || adaptive) return null;
  if (given !== null) return given;
  throw invalidArgument('options.lambda', 'a number from 0 to 1 unless options.adaptive is true', lambda);
}
