import t from 'tap';
import { asPublished } from '../../lib/cli/as-published.js';
import { parseTrain } from '../../lib/cli/reproduce/plan.js';

const of = (system: 'gazelt' | 'baseline', ...argv: string[]) => {
  const { flags, explicit } = parseTrain(system, argv);
  return asPublished(system, flags, explicit);
};

t.test("--as_published sets each program's own behaviour", async (t) => {
  const gazelt = of('gazelt', '--as_published', '--weights', 'a.pth', '--features', 'none');
  t.same(gazelt.deviations, []);
  t.match(gazelt.flags, {
    ...{ legacy_batchnorm: true, kd_weight: 0.01, kd_val_weight: 0.05, precision: 'float32' },
    ...{
      width: 64,
      head: 'bottleneck64',
      image_size: 224,
      max_epochs: 100,
      patience: 15,
      batch_size: 256,
      lr: 1e-4,
    },
  });
  const baseline = of('baseline', '--as_published', '--weights', 'a.pth');
  t.match(baseline.flags, {
    ...{ legacy_batchnorm: true, head: 'linear', image_size: 256, max_epochs: 60 },
    bal_mixup_distribution: 'symmetric',
  });
  t.equal(baseline.flags.kd_val_weight, undefined);
  const plain = of('gazelt', '--weights', 'a.pth');
  t.equal(plain.flags.legacy_batchnorm, undefined);
  t.match(plain, { flags: { max_epochs: 60, precision: 'auto' }, deviations: [] });
});

t.test('flags given besides win and are named; random weights are warned of', async (t) => {
  const { flags, deviations } = of(
    'gazelt',
    ...[
      '--as_published',
      '--rand_init',
      '--image_size',
      '64',
      '--max_epochs',
      '100',
      '--kd_val_weight',
      '0.01',
    ],
  );
  t.match(flags, { image_size: 64, max_epochs: 100, kd_val_weight: 0.01, legacy_batchnorm: true });
  t.same(deviations, [
    '--image_size is 64 where the published runs have 224',
    '--kd_val_weight is 0.01 where the published runs have 0.05',
    "the published runs begin with torchvision's ImageNet weights (--weights resnet50-11ad3fa6.pth), not with random ones",
  ]);
});

t.test('shares of the teachers are the published ones where each is one in their number', async (t) => {
  const shares = (given: string) => {
    const argv = ['--as_published', '--weights', 'a.pth', '--features', 'gazelt', '--kd_shares', given];
    return of('gazelt', ...argv).deviations;
  };
  t.same(shares('0.5,0.5'), []);
  t.same(shares('1'), []);
  for (const given of ['1,1', '0', '0.25', '0.7,0.3'])
    t.same(shares(given), [
      `--kd_shares is ${given} where the published runs have equal shares that sum to 1`,
    ]);
});
