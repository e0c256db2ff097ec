/** `cxr-gaze predict`: classes of radiographs. */
import { Command } from 'commander';
import { writeFileAtomic } from '../checkpoints/atomic.js';
import { csvLine } from '../data/csv-row.js';
import { dataThreads } from '../data/resize.js';
import type { Prediction } from '../systems/classifier/predict.js';
import { loadClassifier } from '../systems/load-classifier.js';
import { asInteger, asText, headings, option } from './options.js';
import { type PassFlags, passOf } from './pass.js';
import { Output, type Session } from './session.js';
import { addImages, addPrecision } from './shared-options.js';
import { notClinical } from './train-run.js';

interface PredictFlags extends PassFlags {
  readonly json?: boolean;
  readonly csv?: string;
}

const help = `
FILES are images (PNG, JPEG, TIFF, WebP, DICOM) or folders of them. ${notClinical}

Examples:
  cxr-gaze predict runs/quickstart film.png
  cxr-gaze predict runs/quickstart films/ --csv predictions.csv --on_error skip
  cxr-gaze predict runs/quickstart film.dcm --json`;

/** The command. */
export function predictCommand(session: Session): Command {
  const command = new Command('predict')
    .description('predict the class of radiographs, as a table, CSV or JSON')
    .argument('<model>', 'folder of a run, a checkpoint or a saved model')
    .argument('<files...>', 'images or folders of images')
    .addOption(
      option(headings.output, '--json', 'one JSON object a line, with the probability of every class'),
    )
    .addOption(
      option(
        headings.output,
        '--csv <file>',
        'also write a table with the probability of every class',
        asText,
      ),
    )
    .addOption(option(headings.machine, '--batch_size <n>', 'images at once', asInteger({ min: 1 }), 16));
  return addImages(addPrecision(command, 'auto'), false)
    .addHelpText('after', help)
    .action((model: string, files: string[], flags: PredictFlags) => predict(model, files, flags, session));
}

async function predict(
  model: string,
  files: readonly string[],
  flags: PredictFlags,
  session: Session,
): Promise<void> {
  const output = new Output(session, flags.json ?? false);
  if (flags.workers !== undefined) dataThreads(flags.workers);
  using classifier = await loadClassifier(model, { device: flags.device });
  const pass = passOf('predicting', flags, { session, output });
  const predictions = await classifier.predict(files, pass.options);
  pass.end();
  for (const prediction of predictions) output.event({ type: 'prediction', ...prediction });
  for (const line of tableLines(predictions)) output.say(line);
  if (flags.csv !== undefined) await writeFileAtomic(flags.csv, csvOf(predictions, classifier.card.classes));
  session.note(notClinical);
}

function tableLines(predictions: readonly Prediction[]): string[] {
  const rows = [
    ['image', 'class', 'probability', 'group'],
    ...predictions.map((p) => [p.id, p.class, p.probability.toFixed(3), p.group ?? '-']),
  ];
  const widths = [0, 1, 2].map((k) => Math.max(...rows.map((row) => (row[k] as string).length)));
  return rows.map((row) =>
    row
      .map((cell, k) => (k < 3 ? cell.padEnd(widths[k] as number) : cell))
      .join('  ')
      .trimEnd(),
  );
}

function csvOf(predictions: readonly Prediction[], classes: readonly string[]): string {
  const header = csvLine(['id', 'class', 'probability', 'group', ...classes]);
  const rows = predictions.map(({ id, class: name, probability, group, probabilities }) =>
    csvLine([
      ...[id, name, String(probability), group ?? ''],
      ...classes.map((one) => String(probabilities[one])),
    ]),
  );
  return header + rows.join('');
}
