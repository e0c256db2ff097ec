import t, { type Test } from 'tap';
import { discriminantPower } from '../../lib/metrics/diagnostic.js';
import {
  publishedAttentionBackbones,
  publishedAttentionDatasets,
  publishedAttentionFigures,
  publishedAttentionTasks,
  publishedLambdas,
} from '../../lib/systems/loc-attention/published.js';

const near = (a: number | undefined, b: number | undefined, most: number) =>
  a !== undefined && b !== undefined && Math.abs(a - b) <= most + 1e-9;

/**
 * Figures that contradict the others of their setting, as published: a sensitivity (.667 would fit all four), two Youden
 * indices and two discriminant powers.
 */
const misfits = new Set([
  'ottawa ne pvt 0.5: accuracy',
  'ottawa ne pvt 0.5: FOR',
  'ottawa ne pvt 0.5: PPV',
  'ottawa ne vgg 1: Youden',
  'ottawa ne vgg best: Youden',
  'nih ne vgg best: power',
  'nih ne resnet 1: power',
]);

function fits(t: Test, ok: boolean, what: string): void {
  t.equal(ok, !misfits.has(what), what);
}

t.test('the figures of each setting fit one another as far as rounding lets them', async (t) => {
  let settings = 0;
  for (const dataset of publishedAttentionDatasets)
    for (const task of publishedAttentionTasks)
      for (const backbone of publishedAttentionBackbones)
        for (const lambda of publishedLambdas) {
          const f = publishedAttentionFigures({ dataset, task, backbone, lambda });
          if (f === null) continue;
          settings++;
          const what = `${dataset} ${task} ${backbone} ${lambda}`;
          if (task === 'nep') {
            t.equal(f.ppv, undefined, what);
            continue;
          }
          // Equally many of both classes.
          fits(
            t,
            near(f.accuracy, ((f.sensitivity ?? 0) + (f.specificity ?? 0)) / 2, 0.001),
            `${what}: accuracy`,
          );
          fits(t, near(f.ppv, 1 - (f.falseDiscoveryRate ?? 0), 0.001), `${what}: FDR`);
          const [sens = 0, spec = 0] = [f.sensitivity, f.specificity];
          fits(t, near(f.falseOmissionRate, (1 - sens) / (1 - sens + spec), 0.002), `${what}: FOR`);
          fits(t, near(f.ppv, sens / (sens + 1 - spec), 0.002), `${what}: PPV`);
        }
  t.equal(settings, 7 * 15);
});

t.test('tables I and II of the appendix', async (t) => {
  const pvt = { dataset: 'nih', task: 'ne', backbone: 'pvt' } as const;
  t.match(publishedAttentionFigures({ ...pvt, lambda: '1' }), {
    ...{ accuracy: 0.817, sensitivity: 0.752, specificity: 0.882, youden: 0.634, discriminantPower: 0.747 },
  });
  t.strictSame(publishedAttentionFigures({ ...pvt, lambda: 'best' }), {
    ...{ sensitivity: 0.81, specificity: 0.899, youden: 0.709, discriminantPower: 0.871 },
  });
  for (const dataset of publishedAttentionDatasets)
    for (const task of ['ne', 'np', 'ns'] as const)
      for (const backbone of publishedAttentionBackbones)
        for (const lambda of ['1', 'best'] as const) {
          const f = publishedAttentionFigures({ dataset, task, backbone, lambda });
          if (f === null) continue;
          const what = `${dataset} ${task} ${backbone} ${lambda}`;
          const [sens, spec] = [f.sensitivity as number, f.specificity as number];
          fits(t, near(f.youden, sens + spec - 1, 0.0015), `${what}: Youden`);
          fits(
            t,
            near(f.discriminantPower, discriminantPower(sens, spec) as number, 0.006),
            `${what}: power`,
          );
        }
});

t.test('what is not published', async (t) => {
  t.equal(publishedAttentionFigures({ dataset: 'nih', task: 'ns', backbone: 'vgg', lambda: '0.5' }), null);
  const choice = { dataset: 'ottawa', task: 'nep', backbone: 'vgg', lambda: '0.75' } as const;
  t.equal(publishedAttentionFigures(choice)?.accuracy, 0.521, "the README's figure");
  t.throws(() => publishedAttentionFigures({ ...choice, task: 'neps' as never }), {
    code: 'ERR_INVALID_ARGUMENT',
  });
});
