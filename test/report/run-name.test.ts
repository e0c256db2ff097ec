import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RunNameOptions } from '../../lib/report/run-name.js';
import { runName } from '../../lib/report/run-name.js';
import { root } from '../support/paths.js';

const golden = join(process.env.CXR_GAZE_GOLDEN ?? join(root, 'test', 'golden'), 'gazelt', 'run-names.json');

/** rw_method -> rwMethod. */
const camel = (flag: string) => flag.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

t.test('golden names', { skip: existsSync(golden) ? false : `no ${golden}` }, async (t) => {
  const { config, inputs, outputs } = JSON.parse(readFileSync(golden, 'utf8'));
  for (const [i, { dataset, flags }] of inputs.runs.literal.entries()) {
    const given = Object.entries({ ...config.defaults, ...flags }).map(([flag, value]) => [
      camel(flag),
      value,
    ]);
    const options = { dataset, ...Object.fromEntries(given) } as RunNameOptions;
    t.equal(runName(options), outputs.names[i]);
    const few = Object.fromEntries(Object.entries(flags).map(([flag, value]) => [camel(flag), value]));
    t.equal(runName({ dataset, ...few }), outputs.names[i], 'defaults are the same');
  }
});

t.test('everything at once, in the order of the original', async (t) => {
  t.equal(
    runName({
      dataset: 'phantom',
      modelName: 'resnet18',
      randInit: true,
      balMixup: true,
      mixup: true,
      mixupAlpha: 1,
      decouplingMethod: 'tau_norm',
      rwMethod: 'cb',
      loss: 'focal',
      drw: true,
      cbBeta: 0.999,
      flGamma: 1.5,
      lr: 3e-5,
      batchSize: 16,
    }),
    'phantom_resnet18_rand_bal-mixup-1.0_mixup-1.0_decoupling-tau_norm_rw-cb_focal-drw_cb-beta-0.999_fl-gamma-1.5_lr-3e-05_bs-16',
  );
});

t.test('α of 0 and below, with which MixUp mixes nothing, is in the name as it was given', async (t) => {
  t.equal(runName({ dataset: 'x', mixup: true, mixupAlpha: 0 }), 'x_resnet50_mixup-0.0_ce_lr-0.0001_bs-256');
  t.match(runName({ dataset: 'x', balMixup: true, mixupAlpha: -0.5 }), /_bal-mixup--0\.5_/);
  t.throws(() => runName({ dataset: 'x', mixupAlpha: Number.NaN }), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('bad options', async (t) => {
  const code = { code: 'ERR_INVALID_ARGUMENT' };
  t.throws(() => runName({ dataset: '' }), code);
  t.throws(() => runName({ dataset: 'x', loss: 'ldamm' as never }), /nearest: 'ldam'/);
  t.throws(() => runName({ dataset: 'x', rw: 'cb' } as never), /rw/);
  t.throws(() => runName({ dataset: 'x', lr: 0 }), code);
});
