/** `cxr-gaze sample`: writes phantom radiographs as a user would have real ones. */
import path from 'node:path';
import { Command } from 'commander';
import { writePhantoms } from '../data/phantom/write.js';
import { asInteger, headings, option } from './options.js';
import { Output, type Session } from './session.js';

interface SampleFlags {
  readonly seed: number;
  readonly size: number;
  readonly train: number;
  readonly val_per_class: number;
  readonly test_per_class: number;
  readonly test: number;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

const help = `
Phantoms are drawings of a program, not images of people: eight findings with a long-tailed frequency, lung masks,
finding boxes, label tables and a simulated reader's fixations. The same seed gives the same films.

Example:
  cxr-gaze sample phantoms/ --size 256 --train 400
  cxr-gaze train baseline --csv phantoms/labels.csv --split_column split --patient_column patient \\
    --rand_init --model_name resnet18 --image_size 128 --batch_size 16 --lr 1e-3 --max_epochs 8`;

/** The command. */
export function sampleCommand(session: Session): Command {
  const heading = 'Sample:';
  return new Command('sample')
    .description('write the embedded sample, phantom radiographs, to a folder')
    .argument('<folder>', 'made with its parents')
    .addOption(
      option(
        heading,
        '--seed <n>',
        'another seed, other patients',
        asInteger({ min: 0, max: 2 ** 32 - 1 }),
        1,
      ),
    )
    .addOption(
      option(heading, '--size <pixels>', 'side of the films', asInteger({ min: 64, max: 1024 }), 128),
    )
    .addOption(
      option(heading, '--train <n>', 'films for training, long-tailed', asInteger({ min: 9, max: 9e6 }), 800),
    )
    .addOption(
      option(
        heading,
        '--val_per_class <n>',
        'films of each class for validation',
        asInteger({ min: 0, max: 1e6 }),
        10,
      ),
    )
    .addOption(
      option(
        heading,
        '--test_per_class <n>',
        'films of each class in balanced-test',
        asInteger({ min: 0, max: 1e6 }),
        20,
      ),
    )
    .addOption(
      option(
        heading,
        '--test <n>',
        'films of the long-tailed test split',
        asInteger({ min: 0, max: 9e6 }),
        160,
      ),
    )
    .addOption(
      option(
        headings.output,
        '--overwrite',
        'replace a set of phantoms that is there; other folders never are',
      ),
    )
    .addOption(option(headings.output, '--json', 'for programs: one JSON object on standard output'))
    .addHelpText('after', help)
    .action((folder: string, flags: SampleFlags) => sample(folder, flags, session));
}

async function sample(folder: string, flags: SampleFlags, session: Session): Promise<void> {
  const output = new Output(session, flags.json ?? false);
  let bar: ReturnType<Session['progress']> | undefined;
  const written = await writePhantoms(folder, {
    ...{ seed: flags.seed, size: flags.size, train: flags.train, test: flags.test },
    ...{ valPerClass: flags.val_per_class, testPerClass: flags.test_per_class },
    overwrite: flags.overwrite ?? false,
    signal: session.signal,
    onProgress: (done, total) => {
      bar ??= session.progress('drawing', total);
      bar.update(done);
    },
  });
  bar?.end();
  output.say(
    `${written.images} phantom radiographs in ${written.folder}; README.txt there says what is what`,
  );
  output.say(
    `Train on them: cxr-gaze train baseline --csv ${path.join(folder, 'labels.csv')} --split_column split --patient_column patient --rand_init ...`,
  );
  output.event({ type: 'sample', ...written });
}
