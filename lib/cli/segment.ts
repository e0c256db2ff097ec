/** `cxr-gaze segment`: masks, overlays and boxes of the lungs in a folder of images. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { drawLungs } from '../cam/draw-lungs.js';
import { refuseExistingFolder, writeFolderAtomic } from '../checkpoints/atomic.js';
import { csvLine } from '../data/csv-row.js';
import type { Dataset } from '../data/dataset.js';
import { decodeImage } from '../data/decode.js';
import { featureName } from '../data/image-table.js';
import { boxSide, type LungBox, lungBox } from '../data/lung-box.js';
import { dataThreads } from '../data/resize.js';
import { CxrGazeError } from '../errors.js';
import { checkInput, inputDataset } from '../systems/classifier/inputs.js';
import { LungSegmenter } from '../systems/segmenter/segmenter.js';
import type { SegmentedImage } from '../systems/segmenter/segmenter-masks.js';
import { lungWarnings } from './lungs-of-films.js';
import { asInteger, headings, option } from './options.js';
import { type PassFlags, passOf } from './pass.js';
import { pngOf } from './png.js';
import { Output, type Session } from './session.js';
import { addImages, addOutput, addPrecision } from './shared-options.js';
import { notClinical } from './train-run.js';

interface SegmentFlags extends PassFlags {
  readonly out_dir: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly overlay?: boolean;
  readonly box_size: number;
  readonly size?: number;
}

const help = `
masks/NAME.png is the mask (255 in the lungs) at the size of the network's input, as --masks takes it; boxes.csv has the
box around the lungs in pixels of an image of --box_size, and what was found: whole, one (lungs on one side only), none
(the box is the whole image) or implausible, with the reasons. overlays/NAME.png shows lungs and box over the image. lungs.json says with what they were found.

Examples:
  cxr-gaze segment results/train/segmenter_pairs_128_rand_lr-0.0001_bs-2 films/ --overlay --out_dir lungs/
  cxr-gaze segment unet_model.pt films/ --out_dir lungs/
  cxr-gaze train loc-attention --masks lungs/masks ...`;

/** The command. */
export function segmentCommand(session: Session): Command {
  const command = new Command('segment')
    .description('find the lungs: masks, overlays and boxes')
    .argument(
      '<model>',
      "folder of a run, a checkpoint or a saved segmenter, or a file with the original's keys",
    )
    .argument('<files...>', 'images or folders of images')
    .addOption(option('Lungs:', '--overlay', 'also draw lungs and box over each image'))
    .addOption(
      option(
        'Lungs:',
        '--box_size <pixels>',
        'side of the image that boxes are for',
        asInteger({ min: 1, max: 16384 }),
        boxSide,
      ),
    )
    .addOption(
      option(
        'Lungs:',
        '--size <pixels>',
        'side of the input, for a file of weights alone (default: 512)',
        asInteger({ min: 16, max: 4096 }),
      ),
    )
    .addOption(option(headings.machine, '--batch_size <n>', 'images at once', asInteger({ min: 1 }), 4));
  addOutput(command, 'segment');
  return addImages(addPrecision(command, 'float32'), false)
    .addHelpText('after', help)
    .action((model: string, files: string[], flags: SegmentFlags) => segment(model, files, flags, session));
}

/** Only such a folder is ever replaced. */
const kind = { marker: 'lungs.json', name: 'segmented lungs' };

async function segment(
  model: string,
  files: readonly string[],
  flags: SegmentFlags,
  session: Session,
): Promise<void> {
  const output = new Output(session, flags.json ?? false);
  if (flags.workers !== undefined) dataThreads(flags.workers);
  const target = path.resolve(flags.out_dir);
  await refuseExistingFolder(target, flags.overwrite ?? false, kind);
  refuseSameName(await inputDataset(checkInput(files), []));
  using segmenter = await LungSegmenter.load(model, {
    device: flags.device,
    ...(flags.size === undefined ? {} : { imageSize: flags.size }),
  });
  const pass = passOf('segmenting', flags, { session, output });
  const found = await writeFolderAtomic(target, async (folder) => {
    for (const part of ['masks', ...(flags.overlay ? ['overlays'] : [])])
      await mkdir(path.join(folder, part));
    const written = new Written(folder, flags);
    for await (const image of segmenter.segment(files, pass.options)) {
      const { name, lungs } = await written.add(image);
      output.event({ type: 'lungs', id: image.id, mask: `masks/${name}.png`, ...lungs });
    }
    await written.end({
      model: path.resolve(model),
      segmenter: await segmenter.fingerprint(),
      ...segmenter.card,
    });
    return written;
  });
  pass.end();
  for (const { kind: what, message, details } of found.warnings()) output.warn(what, message, { details });
  output.say(
    `${found.length} masks in ${path.join(target, 'masks')}, boxes in ${path.join(target, 'boxes.csv')}`,
  );
  output.event({ type: 'done', folder: target, images: found.length });
  session.note(notClinical);
}

/** Masks are called after their image's file name alone; told before the first image has taken any time. */
function refuseSameName(films: Dataset): void {
  const names = new Map<string, string>();
  for (let index = 0; index < films.length; index++) {
    const { id } = films.sample(index);
    const name = featureName(id);
    const other = names.get(name);
    if (other !== undefined)
      throw new CxrGazeError(
        'ERR_EXISTS',
        `${other} and ${id} have one name, so their masks would overwrite each other: segment them into two folders`,
        { details: { files: [other, id] } },
      );
    names.set(name, id);
  }
}

/** The files of one call, growing. */
class Written {
  readonly #folder: string;
  readonly #flags: SegmentFlags;
  readonly #lungs = new Map<string, LungBox>();
  readonly #rows = [csvLine(['id', 'mask', 'x', 'y', 'width', 'height', 'size', 'finding', 'reasons'])];

  constructor(folder: string, flags: SegmentFlags) {
    this.#folder = folder;
    this.#flags = flags;
  }

  get length(): number {
    return this.#lungs.size;
  }

  async add({ id, mask }: SegmentedImage): Promise<{ readonly name: string; readonly lungs: LungBox }> {
    const name = featureName(id);
    const size = this.#flags.box_size;
    const lungs = await lungBox(mask, size);
    this.#lungs.set(id, lungs);
    await writeFile(path.join(this.#folder, 'masks', `${name}.png`), await pngOf({ ...mask, channels: 1 }));
    if (this.#flags.overlay) {
      const image = await decodeImage({ kind: 'file', path: id });
      const picture = drawLungs(image, mask, lungs.box, size);
      await writeFile(path.join(this.#folder, 'overlays', `${name}.png`), await pngOf(picture));
    }
    const { x, y, width, height } = lungs.box;
    const numbers = [x, y, width, height, size].map(String);
    this.#rows.push(csvLine([id, `masks/${name}.png`, ...numbers, lungs.finding, lungs.reasons.join('; ')]));
    return { name, lungs };
  }

  async end(source: object): Promise<void> {
    await writeFile(path.join(this.#folder, 'boxes.csv'), this.#rows.join(''));
    const record = { format: 1, ...source, boxSize: this.#flags.box_size, images: this.length };
    await writeFile(path.join(this.#folder, kind.marker), `${JSON.stringify(record, null, 2)}\n`);
  }

  warnings() {
    return lungWarnings(this.#lungs, this.#flags.box_size);
  }
}
