/** `cxr-gaze explain`: where a network looked, as pictures. */
import { access, rm } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { type CamActivations, type CamMethod, camActivations, camMethods } from '../cam/attention-map.js';
import { makeFolder, writeFileAtomic } from '../checkpoints/atomic.js';
import { writeNpy } from '../checkpoints/npy.js';
import { featureName } from '../data/image-table.js';
import type { LungBox } from '../data/lung-box.js';
import { dataThreads } from '../data/resize.js';
import { CxrGazeError } from '../errors.js';
import type { ExplainedImage } from '../systems/classifier/explain.js';
import { loadClassifier } from '../systems/load-classifier.js';
import { percent } from './evaluation.js';
import { type LungFlags, lungsOfFilms, lungWarnings } from './lungs-of-films.js';
import { asChoice, asInteger, asNumbers, asText, asTexts, headings, option, usageError } from './options.js';
import { type PassFlags, passOf } from './pass.js';
import { pngOf, slug } from './png.js';
import { Output, type Session } from './session.js';
import { addImages, addOutput, addPrecision } from './shared-options.js';
import { notClinical } from './train-run.js';

interface ExplainFlags extends PassFlags, LungFlags {
  readonly out_dir: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly method: CamMethod;
  readonly layer?: readonly string[];
  readonly class?: string;
  readonly top_channels?: number;
  readonly activations?: CamActivations;
  readonly inside_lungs?: boolean;
  readonly arrays?: boolean;
}

const help = `
Each image becomes a PNG: the radiograph under the attention map of one class. A bright region is where the network
looked, not where a finding is. With a box around the lungs (--lungs, --masks or --unet), its outline is drawn and the share of
the heat inside it is told; films whose lungs are missing, on one side only or implausible are listed. With --arrays the map
itself lies beside NAME.png: NAME.npy, float32 of [height, width] in [0, 1), with a number for each pixel of the picture.
The two are one: --overwrite without --arrays removes a NAME.npy that is there, which is of another explanation.
${notClinical}

Examples:
  cxr-gaze explain runs/quickstart film.png --out_dir overlays/
  cxr-gaze explain runs/quickstart films/ --class Effusion --layer layer3.1
  cxr-gaze explain runs/quickstart film.png --method scorecam --top_channels 64 --lungs 0.1,0.1,0.8,0.75`;

const heading = 'Explanation:';

/** The command. */
export function explainCommand(session: Session): Command {
  const command = new Command('explain')
    .description('show where the network looked: attention maps over the films as PNG')
    .argument('<model>', 'folder of a run, a checkpoint or a saved model')
    .argument('<files...>', 'images or folders of images');
  addMap(command);
  addLungs(command);
  command
    .addOption(
      option(heading, '--arrays', 'also write each map as NAME.npy: float32, pixel by pixel of NAME.png'),
    )
    .addOption(option(headings.machine, '--batch_size <n>', 'images at once', asInteger({ min: 1 }), 16));
  addOutput(command, 'explain');
  return addImages(addPrecision(command, 'float32'), false)
    .addHelpText('after', help)
    .action((model: string, files: string[], flags: ExplainFlags) => explain(model, files, flags, session));
}

function addMap(command: Command): void {
  command
    .addOption(
      option(
        heading,
        '--method <name>',
        `how the map is made: ${camMethods.join(', ')}; scorecam takes minutes an image`,
        asChoice(camMethods),
        'gradcam',
      ),
    )
    .addOption(
      option(
        heading,
        '--layer <names>',
        'activation to explain, or several with commas between, averaged (default: the last feature map)',
        asTexts,
      ),
    )
    .addOption(option(heading, '--class <name>', 'class to explain (default: the predicted one)', asText))
    .addOption(
      option(
        heading,
        '--top_channels <n>',
        'scorecam: only the n channels that vary most (default: all)',
        asInteger({ min: 1 }),
      ),
    )
    .addOption(
      option(
        heading,
        '--activations <which>',
        `VGG16's last convolution: its values ${camActivations.join(' or ')} (default: before_relu); refused for other layers`,
        asChoice(camActivations),
      ),
    );
}

function addLungs(command: Command): void {
  command
    .addOption(
      option(
        heading,
        '--lungs <x,y,width,height>',
        'box around the lungs, as fractions of the width and height of each image',
        asNumbers(4, 4),
      ),
    )
    .addOption(
      option(
        heading,
        '--masks <folder>',
        'lung masks whose boxes are drawn: NAME.png or NAME_mask.png for the film NAME',
        asText,
      ),
    )
    .addOption(
      option(
        heading,
        '--unet <path>',
        'lung segmenter that finds the boxes: a run, a saved segmenter or a checkpoint',
        asText,
      ),
    )
    .addOption(
      option(heading, '--inside_lungs', 'draw heat inside that box alone, the plain film around it'),
    );
}

async function explain(
  model: string,
  files: readonly string[],
  flags: ExplainFlags,
  session: Session,
): Promise<void> {
  const output = new Output(session, flags.json ?? false);
  if (flags.inside_lungs && !flags.lungs && !flags.masks && !flags.unet)
    throw usageError('Expected a box for --inside_lungs: --lungs, --masks or --unet');
  if (flags.workers !== undefined) dataThreads(flags.workers);
  using classifier = await loadClassifier(model, { device: flags.device });
  const folder = path.resolve(flags.out_dir);
  await makeFolder(folder);
  const taken = new Set<string>();
  using found = await lungsOfFilms(files, flags, classifier.card.imageSize, flags.device);
  const pass = passOf('explaining', flags, { session, output });
  const images = classifier.explain(files, {
    ...pass.options,
    method: flags.method,
    ...(flags.method === 'scorecam' ? { onChannels: pass.within } : {}),
    ...(flags.layer === undefined ? {} : { layer: layersOf(flags.layer) }),
    ...(flags.class === undefined ? {} : { class: flags.class }),
    ...(flags.top_channels === undefined ? {} : { topChannels: flags.top_channels }),
    ...(flags.activations === undefined ? {} : { activations: flags.activations }),
    ...(found.lungs === undefined ? {} : { lungs: found.lungs }),
    ...(flags.inside_lungs ? { heat: 'inside-lungs' } : {}),
  });
  for await (const image of images) {
    const file = path.join(folder, `${freeName(image.id, taken)}.png`);
    const array = await writePicture(file, image, flags);
    tell(image, { file, array }, found.found.get(image.id), output);
  }
  pass.end();
  const warnings = lungWarnings(found.found, classifier.card.imageSize, 'so no box is drawn');
  for (const { kind, message, details } of warnings) output.warn(kind, message, { details });
  session.note(notClinical);
}

/**
 * Writes the picture, and the map if it is asked for. Both are of one explanation: what lies there of an earlier one is refused or
 * replaced as a pair, and a kill between the two leaves no map beside a picture of another.
 *
 * @returns the file of the map
 */
async function writePicture(
  file: string,
  { overlay, map }: ExplainedImage,
  { arrays, overwrite }: ExplainFlags,
): Promise<string | undefined> {
  const array = `${file.slice(0, -'.png'.length)}.npy`;
  if (overwrite) await rm(array, { force: true });
  else for (const one of [file, array]) await refuseExisting(one);
  await writeFileAtomic(file, await pngOf(overlay));
  if (!arrays) return undefined;
  await writeNpy(array, map.data, [map.height, map.width]);
  return array;
}

function tell(
  { id, class: predicted, probability, group, explained, insideLungs }: ExplainedImage,
  { file, array }: { readonly file: string; readonly array: string | undefined },
  lungs: LungBox | undefined,
  output: Output,
): void {
  const of = explained === predicted ? '' : `, map of ${explained}`;
  const inside = insideLungs === null ? '' : `, ${percent(insideLungs)} of the heat within the lungs' box`;
  output.say(`${file}  ${predicted} (${percent(probability)})${of}${inside}`);
  output.event({
    ...{ type: 'explanation', id, class: predicted, probability, group, explained, file },
    ...(array === undefined ? {} : { array }),
    ...(insideLungs === null ? {} : { inside_lungs: insideLungs }),
    ...(lungs === undefined ? {} : { lungs: lungs.finding, reasons: lungs.reasons }),
  });
}

/** One layer as itself, for the methods that take no more. */
function layersOf(names: readonly string[]): string | readonly string[] {
  return names.length === 1 ? (names[0] as string) : names;
}

/** A name without extension: two images of one name in different folders must not overwrite each other. */
function freeName(id: string, taken: Set<string>): string {
  const stem = slug(featureName(id));
  for (let n = 1; ; n++) {
    const name = `${stem}${n === 1 ? '' : `-${n}`}`;
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
