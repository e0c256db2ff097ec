/** `cxr-gaze prepare`: decodes a data set once, so that training finds it ready. */
import path from 'node:path';
import { Command } from 'commander';
import { prepareImages } from '../data/prepare.js';
import { addDataOptions, type DataFlags, pickDataFlags } from './data-options.js';
import { openData } from './datasets.js';
import { asChoice, asInteger, asText, headings, option } from './options.js';
import { sayRemarks } from './say-data.js';
import { Output, type Session } from './session.js';

interface PrepareFlags extends DataFlags {
  readonly image_size: number;
  readonly cache_dir: string;
  readonly on_error: 'throw' | 'skip';
  readonly json?: boolean;
}

const help = `
Every image is decoded and stretched to the network's input once; later runs with the same --cache_dir and
--image_size read the pixels at memory speed. A file that changed is prepared again. Interrupted work is kept.

Example:
  cxr-gaze prepare --dataset nih-cxr-lt --data_dir images/ --label_dir labels/ --image_size 224 --cache_dir cache/
  cxr-gaze train gazelt --cache_dir cache/ ...`;

/** The command. */
export function prepareCommand(session: Session): Command {
  const command = addDataOptions(
    new Command('prepare').description('fill the cache of decoded images that training reads'),
  );
  return command
    .addOption(
      option(
        'Cache:',
        '--image_size <pixels>',
        "side of the network's input",
        asInteger({ min: 32, max: 4096 }),
        224,
      ),
    )
    .addOption(
      option(
        'Cache:',
        '--cache_dir <folder>',
        'the cache, shared by data sets and sizes',
        asText,
        'results/prepare',
      ),
    )
    .addOption(
      option(
        'Cache:',
        '--on_error <what>',
        'a bad image ends the work (throw) or is left out and listed (skip)',
        asChoice(['throw', 'skip'] as const),
        'throw' as const,
      ),
    )
    .addOption(option(headings.output, '--json', 'for programs: one JSON object a line on standard output'))
    .addHelpText('after', help)
    .action((flags: PrepareFlags) => prepare(flags, session));
}

async function prepare(flags: PrepareFlags, session: Session): Promise<void> {
  const output = new Output(session, flags.json ?? false);
  const { image_size: side, cache_dir: cacheDir, on_error: onError } = flags;
  const data = await openData(pickDataFlags(flags), { imageSize: side, purpose: 'training' });
  sayRemarks(data, output);
  for (const [split, dataset] of data.splits) {
    if (dataset.length === 0) continue;
    const bar = session.progress(`preparing ${split}`, dataset.length);
    using images = await prepareImages(dataset, {
      ...{ width: side, height: side, cacheDir, onError, signal: session.signal },
      onProgress: ({ done }) => bar.update(done),
    });
    const seconds = bar.end();
    const { decoded, reused, skipped, distrust } = images;
    if (distrust !== undefined) output.warn('cache-distrusted', distrust);
    for (const { error } of skipped) output.warn('image-skipped', error.message);
    const left = skipped.length > 0 ? `, ${skipped.length} left out` : '';
    output.say(`${split}: ${decoded} images decoded, ${reused} found ready${left} (${seconds.toFixed(1)} s)`);
    output.event({
      type: 'prepared',
      split,
      images: images.dataset.length,
      decoded,
      reused,
      skipped: skipped.length,
    });
  }
  output.say(`Cache: ${path.resolve(cacheDir)}, ${side} x ${side} pixels`);
}
