/** From the finished runs of loc-attention to a table: one row for each backbone and λ, and one for the best proposed. */
import {
  type DiagnosticFigureName,
  type DiagnosticFigures,
  diagnosticFigureNames,
  diagnosticFigures,
} from '../../metrics/diagnostic-figures.js';
import type { BootstrapOptions, ResampledUnit } from '../../metrics/resample.js';
import type { Architecture } from '../../models/model.js';
import type {
  Comparison,
  ComparisonColumn,
  ComparisonRow,
  Figure,
  PublishedFigure,
} from '../../report/comparison/table.js';
import type { OptionValue } from '../../report/report-data.js';
import {
  type PublishedAttentionBackbone,
  type PublishedAttentionDataset,
  publishedAttentionFigures,
  publishedAttentionTasks,
  publishedLambdas,
} from '../../systems/loc-attention/published.js';
import { phantomNotice } from '../say-data.js';
import {
  type AttentionGrid,
  type AttentionRun,
  bestSetting,
  type FinishedRun,
  type Lambda,
  predictionSet,
  type Setting,
  wholeSettings,
} from './attention-plan.js';

/** What became of the runs so far. */
export interface AttentionProgress {
  readonly grid: AttentionGrid;
  readonly runs: readonly AttentionRun[];
  /** Finished runs by name. */
  readonly finished: ReadonlyMap<string, FinishedRun>;
  /** Why a run has no result, by name. */
  readonly failures: ReadonlyMap<string, string>;
}

/** What the table says besides its figures. */
export interface AttentionFacts {
  /** Whether the films are the embedded sample's. */
  readonly isPhantom: boolean;
  readonly classes: readonly string[];
  /** Images by split, without those that are left out for want of a mask. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Which ones that are, a sentence for each split. */
  readonly leftOut: readonly string[];
  readonly bootstrap: BootstrapOptions | false;
  /** Whose published figures stand beside ours; `null` for none. */
  readonly published: PublishedAttentionDataset | null;
  readonly options: Readonly<Record<string, OptionValue>>;
}

/** Said above every table of the published loss (loc-attention.md section 4.5). */
export const noGradientNotice =
  'The published attention term is a count of pixels and has no gradient: it changes the logged loss and, through it, the learning-rate schedule and, with --select loss, the choice of the best epoch, nothing else. Adam divides by the scale of the gradient, so a constant λ leaves the updates as they are. Differences between the columns λ are therefore mostly noise from run to run. Where another t would have changed neither rates nor the best epoch, one training stands for both.';

const titles: Readonly<Record<DiagnosticFigureName, string>> = {
  accuracy: 'Acc / Rec',
  precision: 'Prec',
  f1: 'F1',
  auroc: 'AUC',
  sensitivity: 'Sensitivity',
  specificity: 'Specificity',
  ppv: 'PPV',
  falseDiscoveryRate: 'FDR',
  falseOmissionRate: 'FOR',
  youden: 'Youden',
  discriminantPower: 'Discriminant power',
};

const onTest = (name: DiagnosticFigureName) => `${name}BestOnTest`;

const columns: readonly ComparisonColumn[] = diagnosticFigureNames.flatMap((name) => [
  { name, title: 'chosen on validation', group: titles[name] },
  { name: onTest(name), title: 'best on test, as published', group: titles[name] },
]);

const shortNames: Readonly<Record<string, readonly [PublishedAttentionBackbone, string]>> = {
  pvt_v2_b2_li: ['pvt', 'PVT'],
  vgg16: ['vgg', 'VGG16'],
  resnet50: ['resnet', 'ResNet50'],
};

/** The table of what is there. */
export function attentionTable(progress: AttentionProgress, facts: AttentionFacts): Comparison {
  const { grid } = progress;
  const { dataset, task, attention, seeds, tau, penaliseOutside } = grid;
  const sizes = Object.entries(facts.sizes).map(([name, length]) => `${name} ${length}`);
  const form =
    attention === 'published'
      ? 'Published attention term.'
      : `Differentiable attention term, τ = ${tau}, μ = ${penaliseOutside}: ours, with no published counterpart.`;
  return {
    title: `loc-attention on ${dataset}, task ${task}`,
    description: [
      `${facts.classes.join(', ')}; images: ${sizes.join(', ')}; ${seeds.length === 1 ? `seed ${seeds[0]}` : `${seeds.length} seeds, means`}. ${form}`,
      'Test set. First column of each figure: t (and, in the rows “best proposed”, λ) chosen by macro F1 on validation. Second column, best on test, as published: chosen by macro F1 on the test set itself, which flatters; the published figures are of this kind.',
      facts.classes.length === 2
        ? 'Sensitivity, specificity, PPV, FDR and FOR are of the second class.'
        : 'Sensitivity, specificity, PPV, FDR, FOR, Youden and discriminant power are means over each class against the rest.',
    ],
    notices: [
      ...(attention === 'published' ? [noGradientNotice] : []),
      ...(facts.isPhantom ? [phantomNotice.message] : []),
      ...facts.leftOut,
    ],
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    options: facts.options,
    columns,
    rows: grid.backbones.flatMap((backbone) => backboneRows(backbone, progress, facts)),
  };
}

function backboneRows(
  backbone: Architecture,
  progress: AttentionProgress,
  facts: AttentionFacts,
): ComparisonRow[] {
  const { lambdas } = progress.grid;
  const rows = lambdas.map((lambda) =>
    rowOf({ backbone, lambdas: [lambda], name: lambdaText(lambda) }, progress, facts),
  );
  const proposed = lambdas.filter((lambda) => lambda !== 1);
  if (proposed.length < 2) return rows;
  return [...rows, rowOf({ backbone, lambdas: proposed, name: 'best' }, progress, facts)];
}

/** A row: the settings that it chooses from. */
interface RowChoice {
  readonly backbone: Architecture;
  readonly lambdas: readonly Lambda[];
  readonly name: string;
}

function lambdaText(lambda: Lambda): string {
  return String(lambda);
}

function titleOf({ backbone, name }: RowChoice): string {
  const network = shortNames[backbone]?.[1] ?? backbone;
  if (name === '1') return `${network}, cross-entropy (λ = 1)`;
  return name === 'best'
    ? `${network}, best proposed`
    : `${network}, λ ${name === 'adaptive' ? name : `= ${name}`}`;
}

function rowOf(choice: RowChoice, progress: AttentionProgress, facts: AttentionFacts): ComparisonRow {
  const { backbone, lambdas, name } = choice;
  const { finished, failures, grid } = progress;
  const runs = progress.runs.filter((run) => run.backbone === backbone && lambdas.includes(run.lambda));
  const common = {
    name: `${backbone}_${name}`,
    title: titleOf(choice),
    published: publishedOf(choice, progress, facts),
  };
  const failed = runs.filter((run) => failures.has(run.name));
  const missing = runs.filter((run) => !finished.has(run.name)).length;
  // A choice among some of the settings would be another choice.
  if (missing > 0) {
    const why = failed.map((run) => `${run.name}: ${failures.get(run.name)}`);
    const note = why.length > 0 ? why.join('; ') : `${missing} of ${runs.length} runs are not trained yet`;
    return { ...common, status: failed.length > 0 ? 'failed' : 'not-trained', note, figures: null };
  }
  const settings = wholeSettings(
    runs.map((run) => finished.get(run.name) as FinishedRun),
    grid.seeds,
  );
  const [chosen, flattering] = [bestSetting(settings, 'validation'), bestSetting(settings, 'test')] as [
    Setting,
    Setting,
  ];
  const [ours, best] = [figuresOf(chosen, facts), figuresOf(flattering, facts)];
  return {
    ...common,
    status: 'done',
    note: noteOf(chosen, flattering, lambdas.length > 1, sharedText(runs, progress)),
    resampled: resampledOf(chosen, facts),
    figures: Object.fromEntries(
      diagnosticFigureNames.flatMap((figure): [string, Figure][] => [
        [figure, ours[figure]],
        [onTest(figure), best[figure]],
      ]),
    ),
  };
}

function figuresOf({ runs }: Setting, { bootstrap }: AttentionFacts): DiagnosticFigures {
  const { patients } = (runs[0] as FinishedRun).test;
  return diagnosticFigures(
    runs.map(({ test }) => predictionSet(test)),
    { bootstrap, ...(patients === null ? {} : { patients }) },
  );
}

function resampledOf({ runs }: Setting, { bootstrap }: AttentionFacts): ResampledUnit | null {
  if (bootstrap === false) return null;
  return (runs[0] as FinishedRun).test.patients === null ? 'image' : 'patient';
}

/** Which t share a training, seed by seed where the seeds differ in it. */
function sharedText(
  runs: readonly AttentionRun[],
  { finished, runs: all, grid }: AttentionProgress,
): string[] {
  const ofSeed = (seed: number): string => {
    const sharing = new Map<number | null, (number | null)[]>();
    for (const run of runs) {
      const trainedAs = finished.get(run.name)?.trainedAs;
      const trained = all.find(({ name }) => name === trainedAs);
      if (run.seed !== seed || trained === undefined) continue;
      sharing.set(trained.threshold, [...(sharing.get(trained.threshold) ?? []), run.threshold]);
    }
    return [...sharing].map(([t, others]) => `one training for t ${[t, ...others].join(', ')}`).join('; ');
  };
  const texts = grid.seeds.map(ofSeed);
  if (new Set(texts).size === 1) return texts.slice(0, 1).filter((text) => text !== '');
  return grid.seeds.flatMap((seed, i) => (texts[i] === '' ? [] : [`seed ${seed}: ${texts[i]}`]));
}

function noteOf(
  chosen: Setting,
  flattering: Setting,
  isAnyLambda: boolean,
  shared: readonly string[],
): string | null {
  const text = ({ lambda, threshold }: Setting) =>
    [
      ...(isAnyLambda ? [`λ ${lambdaText(lambda)}`] : []),
      ...(threshold === null ? [] : [`t ${threshold}`]),
    ].join(', ');
  if (chosen.threshold === null) return null;
  const choice = `${text(chosen)} on validation; ${text(flattering)} best on test`;
  // The rows of each λ tell it already.
  return [choice, ...(isAnyLambda ? [] : shared)].join('; ');
}

function publishedOf(
  { backbone, name }: RowChoice,
  { grid }: AttentionProgress,
  { published }: AttentionFacts,
): Readonly<Record<string, PublishedFigure>> | null {
  const network = shortNames[backbone]?.[0];
  const task = publishedAttentionTasks.find((one) => one === grid.task);
  const lambda = [...publishedLambdas, 'best' as const].find((one) => one === name);
  if (published === null || network === undefined || task === undefined || lambda === undefined) return null;
  // The published ones are of the published term; without a term, at λ = 1, both trained the same.
  if (grid.attention !== 'published' && lambda !== '1') return null;
  const figures = publishedAttentionFigures({ dataset: published, task, backbone: network, lambda });
  if (figures === null) return null;
  return Object.fromEntries(
    Object.entries(figures).map(([figure, value]) => [onTest(figure as DiagnosticFigureName), { value }]),
  );
}
