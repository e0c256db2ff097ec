import { attentionDefaults, tauRange } from '../losses/attention-defaults.js';
import { flag, knownKeys, number, oneOf, text } from '../validate.js';
import { pythonFloat } from './python-format.js';

/** Short names that the original gives its three networks; others are called by their own. */
const shortNames: Readonly<Record<string, string>> = {
  pvt_v2_b2_li: 'pvt',
  vgg16: 'vgg',
  resnet50: 'resnet',
};

/** The options that go into the names of a run's files. */
export interface AttentionRunNameOptions {
  /** Architecture, such as `pvt_v2_b2_li`, or the original's short name: `pvt`, `vgg`, `resnet`. */
  readonly backbone: string;
  /** Name of the data set, such as `nih`. */
  readonly dataset: string;
  /** Name of the task, such as `ne`. */
  readonly task: string;
  /** λ as given; default none, which the original allows for adaptive runs only. */
  readonly lambda?: number;
  /** Whether λ falls from epoch to epoch. Default `false`. */
  readonly adaptive?: boolean;
  /** t. Default 0.3. */
  readonly threshold?: number;
  /** Form of the attention term. Default `published`; the other is ours and marked by `_soft`. */
  readonly attention?: 'published' | 'differentiable';
  /** τ of the differentiable form. Default 0.1, which is not written. */
  readonly tau?: number;
  /** μ of the differentiable form. Default 0, which is not written. */
  readonly penaliseOutside?: number;
}

/**
 * The stem of a run's log and checkpoint names as the original has it (`model_loss_attent.py`): `pvt_nih_ne_la0.5_t0.1`,
 * `resnet_nih_np_la0.5a_t0.7`; numbers as Python prints floats. The differentiable form, which has no original, adds
 * `_soft` and what of it is not the default: `pvt_nih_ne_la0.5_t0.1_soft_mu1.0`.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export function attentionRunName(options: AttentionRunNameOptions): string {
  knownKeys('options', options, [
    ...['backbone', 'dataset', 'task', 'lambda', 'adaptive', 'threshold', 'attention', 'tau'],
    'penaliseOutside',
  ]);
  const { lambda } = options;
  const share = { min: 0, max: 1 };
  const weight = lambda === undefined ? '' : pythonFloat(number('lambda', lambda, share));
  const adaptive = flag('adaptive', options.adaptive ?? false) ? 'a' : '';
  const threshold = pythonFloat(number('threshold', options.threshold ?? attentionDefaults.threshold, share));
  return `${stem(options)}_la${weight}${adaptive}_t${threshold}${softPart(options)}`;
}

function softPart(options: AttentionRunNameOptions): string {
  const attention = oneOf('attention', options.attention ?? 'published', ['published', 'differentiable']);
  if (attention === 'published') return '';
  const tau = number('tau', options.tau ?? attentionDefaults.tau, tauRange);
  const outside = number('penaliseOutside', options.penaliseOutside ?? 0, { min: 0 });
  return [
    '_soft',
    tau === attentionDefaults.tau ? '' : `_tau${pythonFloat(tau)}`,
    outside === 0 ? '' : `_mu${pythonFloat(outside)}`,
  ].join('');
}

/** The stem of a cross-entropy baseline's names, `resnet_nih_ne_ce`; the original's baselines overwrite one another. */
export function crossEntropyRunName(
  options: Pick<AttentionRunNameOptions, 'backbone' | 'dataset' | 'task'>,
): string {
  knownKeys('options', options, ['backbone', 'dataset', 'task']);
  return `${stem(options)}_ce`;
}

function stem({ backbone, dataset, task }: Pick<AttentionRunNameOptions, 'backbone' | 'dataset' | 'task'>) {
  const network = text('backbone', backbone);
  return `${shortNames[network] ?? network}_${text('dataset', dataset)}_${text('task', task)}`;
}
