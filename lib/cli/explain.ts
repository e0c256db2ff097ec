/** `cxr-gaze explain`: where a network looked, as pictures. */
import { access, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { writeFileAtomic } from '../checkpoints/atomic.js';
import { featureName } from '../data/image-table.js';
import { dataThreads } from '../data/resize.js';
import { CxrGazeError } from '../errors.js';
import { GazeLT } from '../systems/gazelt/gazelt.js';
import { percent } from './evaluation.js';
import { asInteger, asText, option } from './options.js';
import { type PassFlags, passOf } from './pass.js';
import { pngOf, slug } from './png.js';
import { Output, type Session } from './session.js';
import { addImages, addOutput, addPrecision } from './train-options.js';
import { notClinical } from './train-run.js';

interface ExplainFlags extends PassFlags {
  readonly out_dir: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly layer?: string;
  readonly class?: string;
}

const help = `
Each image becomes a PNG: the radiograph under the Grad-CAM map of one class. A bright region is where the network
looked, not where a finding is. ${notClinical}

Examples:
  cxr-gaze explain runs/quickstart film.png --out_dir overlays/
  cxr-gaze explain runs/quickstart films/ --class Effusion --layer layer3.1`;

/** The command. */
export function explainCommand(session: Session): Command {
  const command = new Command('explain')
    .description('show where the network looked: Grad-CAM overlays as PNG')
    .argument('<model>', 'folder of a run, a checkpoint or a saved model')
    .argument('<files...>', 'images or folders of images')
    .addOption(
      option(
        'Explanation:',
        '--layer <name>',
        'activation to explain (default: the last feature map)',
        asText,
      ),
    )
    .addOption(
      option('Explanation:', '--class <name>', 'class to explain (default: the predicted one)', asText),
    )
    .addOption(option('Machine:', '--batch_size <n>', 'images at once', asInteger({ min: 1 }), 16));
  addOutput(command, 'explain');
  return addImages(addPrecision(command, 'float32'), false)
    .addHelpText('after', help)
    .action((model: string, files: string[], flags: ExplainFlags) => explain(model, files, flags, session));
}

async function explain(
  model: string,
  files: readonly string[],
  flags: ExplainFlags,
  session: Session,
): Promise<void> {
  const output = new Output(session, flags.json ?? false);
  if (flags.workers !== undefined) dataThreads(flags.workers);
  using classifier = await GazeLT.load(model, { device: flags.device });
  const folder = path.resolve(flags.out_dir);
  await mkdir(folder, { recursive: true });
  const taken = new Set<string>();
  const pass = passOf('explaining', flags, { session, output });
  const images = classifier.explain(files, {
    ...pass.options,
    ...(flags.layer === undefined ? {} : { layer: flags.layer }),
    ...(flags.class === undefined ? {} : { class: flags.class }),
  });
  for await (const { id, class: predicted, probability, group, explained, overlay } of images) {
    const file = path.join(folder, freeName(id, taken));
    if (!flags.overwrite) await refuseExisting(file);
    await writeFileAtomic(file, await pngOf(overlay));
    output.say(
      `${file}  ${predicted} (${percent(probability)})${explained === predicted ? '' : `, map of ${explained}`}`,
    );
    output.event({ type: 'explanation', id, class: predicted, probability, group, explained, file });
  }
  pass.end();
  session.note(notClinical);
}

/** Two images of one name in different folders must not overwrite each other. */
function freeName(id: string, taken: Set<string>): string {
  const stem = slug(featureName(id));
  for (let n = 1; ; n++) {
    const name = `${stem}${n === 1 ? '' : `-${n}`}.png`;
    if (taken.has(name)) continue;
    taken.add(name);
    return name;
  }
}

async function refuseExisting(file: string): Promise<void> {
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (!isThere) return;
  throw new CxrGazeError(
    'ERR_EXISTS',
    `${file} is there already: replace it by --overwrite or choose another --out_dir`,
    {
      details: { file },
    },
  );
}
