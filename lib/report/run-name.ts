import { flag, integer, knownKeys, number, oneOf, text } from '../validate.js';
import { pythonFloat } from './python-format.js';

/** The options that the originals put into the name of a run's folder. */
export interface RunNameOptions {
  /** Name of the data set, such as `nih-cxr-lt`. */
  readonly dataset: string;
  /** Name of the network. Default `resnet50`. */
  readonly modelName?: string;
  /** Whether training began from random weights. Default `false`. */
  readonly randInit?: boolean;
  /** Balanced-MixUp. Default `false`. */
  readonly balMixup?: boolean;
  /** MixUp. Default `false`. */
  readonly mixup?: boolean;
  /** Parameter of the Beta distribution of both. Default 0.2. */
  readonly mixupAlpha?: number;
  /** `''` for none. Default `''`. */
  readonly decouplingMethod?: '' | 'cRT' | 'tau_norm';
  /** Class weights; `''` for none. Default `''`. */
  readonly rwMethod?: '' | 'sklearn' | 'cb';
  /** Classification loss. Default `ce`. */
  readonly loss?: 'ce' | 'focal' | 'ldam';
  /** Deferred re-weighting. Default `false`. */
  readonly drw?: boolean;
  /** β of class-balanced weights. Default 0.9999. */
  readonly cbBeta?: number;
  /** γ of the focal loss. Default 2. */
  readonly flGamma?: number;
  /** Learning rate. Default 1e-4. */
  readonly lr?: number;
  /** Images a step. Default 256. */
  readonly batchSize?: number;
}

const keys = [
  ...['dataset', 'modelName', 'randInit', 'balMixup', 'mixup', 'mixupAlpha', 'decouplingMethod', 'rwMethod'],
  ...['loss', 'drw', 'cbBeta', 'flGamma', 'lr', 'batchSize'],
];

/**
 * The folder name that the originals give a run: `nih-cxr-lt_resnet50_rw-cb_ldam-drw_cb-beta-0.9999_lr-0.0001_bs-256`.
 * Floats are printed as Python prints them.
 */
export function runName(options: RunNameOptions): string {
  knownKeys('options', options, keys);
  const alpha = pythonFloat(number('mixupAlpha', options.mixupAlpha ?? 0.2));
  const decoupling = oneOf('decouplingMethod', options.decouplingMethod ?? '', ['', 'cRT', 'tau_norm']);
  const rw = oneOf('rwMethod', options.rwMethod ?? '', ['', 'sklearn', 'cb']);
  const loss = oneOf('loss', options.loss ?? 'ce', ['ce', 'focal', 'ldam']);
  const beta = pythonFloat(number('cbBeta', options.cbBeta ?? 0.9999, { min: 0, max: 1 }));
  const gamma = pythonFloat(number('flGamma', options.flGamma ?? 2, { min: 0 }));
  return [
    `${text('dataset', options.dataset)}_${text('modelName', options.modelName ?? 'resnet50')}`,
    flag('randInit', options.randInit ?? false) ? '_rand' : '',
    flag('balMixup', options.balMixup ?? false) ? `_bal-mixup-${alpha}` : '',
    flag('mixup', options.mixup ?? false) ? `_mixup-${alpha}` : '',
    decoupling === '' ? '' : `_decoupling-${decoupling}`,
    rw === '' ? '' : `_rw-${rw}`,
    `_${loss}`,
    flag('drw', options.drw ?? false) ? '-drw' : '',
    rw === 'cb' ? `_cb-beta-${beta}` : '',
    loss === 'focal' ? `_fl-gamma-${gamma}` : '',
    `_lr-${pythonFloat(number('lr', options.lr ?? 1e-4, { above: 0 }))}`,
    `_bs-${integer('batchSize', options.batchSize ?? 256, { min: 1 })}`,
  ].join('');
}
