/** The flags of `reproduce loc-attention`: its own, and those of `train loc-attention` that go to every run. */
import { Command, InvalidArgumentError } from 'commander';
import { type LocalisationTask, localisationTasks } from '../../losses/regions.js';
import type { Architecture } from '../../models/model.js';
import { publishedAttentionDatasets } from '../../systems/loc-attention/published.js';
import type { AttentionFlags } from '../attention-flags.js';
import { addAttentionOptions, asBackbone } from '../attention-options.js';
import { asChoice, asInteger, asNumber, asText, explicitFlags, option } from '../options.js';
import type { Lambda } from './attention-plan.js';

/** Kinds of data that the tables can be made of. */
export const attentionDatasets = ['nih', 'ottawa', 'sample', 'folder'] as const;

/** One of {@link attentionDatasets}. */
export type AttentionDataset = (typeof attentionDatasets)[number];

/** The flags as commander gives them. */
export interface ReproduceAttentionFlags
  extends Partial<Omit<AttentionFlags, 'dataset' | 'weights' | 'attention' | 'tau' | 'penalise_outside'>> {
  readonly dataset?: AttentionDataset;
  readonly tasks?: readonly LocalisationTask[];
  readonly backbones: readonly Architecture[];
  readonly lambdas: readonly Lambda[];
  readonly thresholds: readonly number[];
  readonly seeds: readonly number[];
  readonly attention: 'published' | 'differentiable';
  readonly tau?: number;
  readonly penalise_outside?: number;
  readonly published?: (typeof publishedAttentionDatasets)[number] | 'none';
  readonly weights?: ReadonlyMap<Architecture, string>;
  readonly out_dir: string;
}

/** Flags of `train loc-attention` that go to every run as they are given. */
const handedDown = [
  ...['path', 'patients', 'regions', 'sample_per_class', 'sample_seed', 'unet', 'masks', 'finding_boxes'],
  ...['width', 'image_size', 'normalisation'],
  ...[
    'weights_key',
    'rand_init',
    'tau',
    'penalise_outside',
    'cam_class',
    'activations',
    'rw_method',
    'max_epochs',
    'batch',
    'lr',
  ],
  ...['patience', 'early_stopping', 'select', 'follow', 'save_every', 'keep', 'with_ids', 'bootstrap', 'gpu'],
  ...['precision', 'cache_dir', 'on_error', 'workers'],
];

const help = `
One table for each task: a row for each backbone and λ, and for each backbone the best of the proposed λ. Each figure stands
there twice: with t (and λ) chosen on validation, and best on test, as published. Each training has a folder of its own, as train
leaves it; the same command again goes on. With λ = 1 the loss is cross-entropy alone: one training for all thresholds. The
published term has no gradient, so t acts on rates and choice of the best epoch alone: a t with which these would have been the
same has no folder, and the row says which t share a training. With --on_error skip and --masks, films without a mask are left
out of every run of a table, also of those with λ = 1.

Data:
  nih     --path holds nofind_effusion, nofind_pneumothorax, nofind_effusion_pneumothorax, as prepare-tasks leaves them
  ottawa  --path holds nf_e, nf_p, nf_s, nf_e_p, nf_e_p_s, or folders called as the tasks: ne, np, ns, nep, neps
  folder  --path holds train, val and test; with one of --tasks, or --regions
  sample  phantom radiographs, whose lungs are known

Examples:
  cxr-gaze reproduce loc-attention --dataset nih --path data/NIH --unet lungs/ --tasks ne --backbones pvt \\
    --weights pvt=pvt_v2_b2_li.safetensors
  cxr-gaze reproduce loc-attention --dataset sample --tasks ne --backbones resnet18 --lambdas 1,0.5 --thresholds 0.3,0.5 \\
    --rand_init --image_size 128 --max_epochs 8 --batch 16 --lr 1e-3`;

const grid = 'Table:';

/** The command with its flags, without what it does. */
export function attentionCommand(): Command {
  const command = new Command('loc-attention').description(
    "loc-attention's tables: backbones and weights of cross-entropy, task by task",
  );
  addGrid(command);
  addTable(command);
  for (const made of addAttentionOptions(new Command()).options) {
    // The default is each run's own.
    if (handedDown.includes(made.attributeName())) command.addOption(made.default(undefined));
  }
  return command.addHelpText('after', help);
}

/** What the table has rows of, and what is averaged and chosen in them. */
function addGrid(command: Command): void {
  const backbones: Architecture[] = ['pvt_v2_b2_li', 'vgg16', 'resnet50'];
  const lambdas: Lambda[] = [1, 0.75, 0.5, 0.25, 'adaptive'];
  const thresholds = [0.1, 0.3, 0.5, 0.7, 0.9];
  const share = asNumber({ min: 0, max: 1 });
  const asLambda = (text: string): Lambda => (text === 'adaptive' ? text : share(text));
  const [datasets, tasks] = [asChoice(attentionDatasets), asList(asChoice(localisationTasks))];
  command
    .addOption(option(grid, '--dataset <name>', `which data: ${attentionDatasets.join(', ')}`, datasets))
    .addOption(
      option(grid, '--tasks <names>', 'with commas between (default: all that the data have)', tasks),
    )
    .addOption(
      option(grid, '--backbones <names>', 'pvt, vgg, resnet or architectures', asList(asBackbone), backbones),
    )
    .addOption(
      option(grid, '--lambdas <values>', 'weights of cross-entropy, or adaptive', asList(asLambda), lambdas),
    )
    .addOption(option(grid, '--thresholds <values>', 't: a map is hot above it', asList(share), thresholds))
    .addOption(
      option(grid, '--seeds <values>', 'figures are means over them', asList(asInteger({ min: 0 })), [0]),
    );
}

function addTable(command: Command): void {
  const forms = asChoice(['published', 'differentiable'] as const);
  const published = asChoice([...publishedAttentionDatasets, 'none'] as const);
  command
    .addOption(
      option(
        grid,
        '--attention <form>',
        'published (no gradient) or differentiable',
        forms,
        'published' as const,
      ),
    )
    .addOption(
      option(grid, '--weights <names=files>', 'initial weights by backbone: resnet=FILE,vgg=FILE', asWeights),
    )
    .addOption(
      option(
        grid,
        '--published <dataset>',
        "whose published figures stand beside ours (default: the data's own)",
        published,
      ),
    )
    .addOption(
      option(grid, '--out_dir <folder>', 'each task gets a folder in it', asText, 'results/reproduce'),
    )
    .addOption(option(grid, '--overwrite', 'train the chosen runs again, also those that are finished'))
    .addOption(option(grid, '--json', 'for programs: one JSON object a line on standard output'));
}

function asList<T>(read: (text: string) => T): (text: string) => T[] {
  return (text) => [...new Set(text.split(',').map((part) => read(part.trim())))];
}

function asWeights(text: string): Map<Architecture, string> {
  const pairs = text.split(',').map((pair): [Architecture, string] => {
    const cut = pair.indexOf('=');
    if (cut <= 0 || cut === pair.length - 1)
      throw new InvalidArgumentError('Expected BACKBONE=FILE, several with commas between.');
    return [asBackbone(pair.slice(0, cut).trim()), pair.slice(cut + 1).trim()];
  });
  return new Map(pairs);
}

/** The flags of training that were given, by name, as tokens. */
export function commonTokens(command: Command): ReadonlyMap<string, readonly string[]> {
  const explicit = explicitFlags(command);
  const given = handedDown.filter((name) => explicit.has(name));
  return new Map(
    given.map((name) => {
      const value: unknown = command.getOptionValue(name);
      // `cpu` and `cuda:0` are what --gpu cpu and --gpu 0 were read as.
      const text = name === 'gpu' ? String(value).replace('cuda:', '') : String(value);
      return [name, value === true ? [`--${name}`] : [`--${name}`, text]];
    }),
  );
}
