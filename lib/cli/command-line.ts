/** What a command line asks for: joins the commands, turns errors into messages and exit codes. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { CxrGazeError } from '../errors.js';
import { packageRoot } from '../native.js';
import { nearest } from '../validate.js';
import { normaliseFlags } from './options.js';
import type { Session } from './session.js';

/** Exit codes: 0 ok, 1 failure, 2 wrong usage, 130 and 143 stopped by SIGINT and SIGTERM. */
export const exits = { failure: 1, usage: 2, SIGINT: 130, SIGTERM: 143 } as const;

interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly load: (session: Session) => Promise<Command>;
}

/** Loaded when asked for: `doctor` has to run where sharp or the addon do not. */
const commands: readonly Entry[] = [
  {
    name: 'train',
    summary: 'train a system, evaluate it and report on it',
    load: async (session) => (await import('./train.js')).trainCommand(session),
  },
  {
    name: 'reproduce',
    summary: 'train the rows of a published table and write it anew',
    load: async (session) => (await import('./reproduce/reproduce.js')).reproduceCommand(session),
  },
  {
    name: 'features',
    summary: "write a gaze teacher's vectors of all films",
    load: async (session) => (await import('./features.js')).featuresCommand(session),
  },
  {
    name: 'evaluate',
    summary: 'evaluate a trained model on a data set with labels',
    load: async (session) => (await import('./evaluate.js')).evaluateCommand(session),
  },
  {
    name: 'predict',
    summary: 'predict the class of radiographs',
    load: async (session) => (await import('./predict.js')).predictCommand(session),
  },
  {
    name: 'explain',
    summary: 'show where the network looked: Grad-CAM overlays',
    load: async (session) => (await import('./explain.js')).explainCommand(session),
  },
  {
    name: 'segment',
    summary: 'find the lungs: masks, overlays and boxes',
    load: async (session) => (await import('./segment.js')).segmentCommand(session),
  },
  {
    name: 'sample',
    summary: 'write the embedded sample, phantom radiographs, to a folder',
    load: async (session) => (await import('./sample.js')).sampleCommand(session),
  },
  {
    name: 'heatmaps',
    summary: 'render heat maps from eye-tracking files',
    load: async (session) => (await import('./heatmaps.js')).heatmapsCommand(session),
  },
  {
    name: 'prepare',
    summary: 'fill the cache of decoded images that training reads',
    load: async (session) => (await import('./prepare.js')).prepareCommand(session),
  },
  {
    name: 'prepare-tasks',
    summary: "divide NIH's images into loc-attention's tasks, or check a folder of a task",
    load: async (session) => (await import('./prepare-tasks.js')).prepareTasksCommand(session),
  },
  {
    name: 'quickstart',
    summary: 'train, evaluate and explain on the embedded sample, in a few minutes',
    load: async (session) => (await import('./quickstart.js')).quickstartCommand(session),
  },
  {
    name: 'build',
    summary: 'find or fetch LibTorch and compile the addon',
    load: async () => (await import('./set-up.js')).buildCommand(),
  },
  {
    name: 'doctor',
    summary: 'say what this machine has, what is amiss and what to do next',
    load: async () => (await import('./set-up.js')).doctorCommand(),
  },
];

const about = `Train, evaluate, explain and serve chest-radiograph models that learn from where radiologists look and from rare diseases. Not for clinical use.`;

const footer = `
Every command has its own --help. Flags may be written with _ or -, as --data_dir or --data-dir.

Begin with:
  cxr-gaze doctor        is everything there?
  cxr-gaze quickstart    the whole way on phantom radiographs, no data needed`;

async function program(argv: readonly string[], session: Session): Promise<Command> {
  const { version } = JSON.parse(readFileSync(path.join(packageRoot(), 'package.json'), 'utf8')) as {
    version: string;
  };
  const root = configure(new Command('cxr-gaze'), session)
    .description(about)
    .version(version, '--version', 'show the version')
    .option('--debug', 'show where an error comes from')
    .addHelpText('after', footer);
  const [wanted, next] = argv.filter((token) => !token.startsWith('-'));
  const names = commands.map(({ name }) => name);
  if (wanted !== undefined && ![...names, 'help'].includes(wanted)) {
    const near = nearest(wanted, names);
    root.error(`error: unknown command '${wanted}'${near ? `\n(Did you mean ${near}?)` : ''}`, {
      exitCode: exits.usage,
    });
  }
  const asked = wanted === 'help' ? next : wanted;
  for (const { name, summary, load } of commands) {
    if (name === asked) root.addCommand(await load(session));
    else root.command(name).description(summary);
  }
  return root;
}

/** Everything that commander says or does at its end passes through one place. */
function configure(command: Command, session: Session): Command {
  const line = (text: string) => text.replace(/\n$/, '');
  command.exitOverride().showSuggestionAfterError(true);
  command.configureHelp({ showGlobalOptions: true, helpWidth: Math.min(110, process.stdout.columns ?? 100) });
  command.configureOutput({
    writeOut: (text) => session.print(line(text)),
    writeErr: (text) => session.note(line(text)),
  });
  for (const sub of command.commands) configure(sub, session);
  return command;
}

function exitCodeOf(error: unknown, stopped: NodeJS.Signals | undefined): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exits.usage;
  if (stopped !== undefined) return exits[stopped as 'SIGINT' | 'SIGTERM'];
  if (error instanceof CxrGazeError && error.code === 'ERR_INVALID_ARGUMENT') return exits.usage;
  return exits.failure;
}

function report(error: unknown, session: Session, { debug, json }: { debug: boolean; json: boolean }): void {
  // Commander has printed its own.
  if (error instanceof CommanderError) return;
  const known = error instanceof CxrGazeError;
  const message = error instanceof Error ? error.message : String(error);
  const code = known ? error.code : 'ERR_UNEXPECTED';
  session.note(`${code}: ${message}`);
  if (json) session.print(JSON.stringify({ type: 'error', code, message }));
  if (debug) session.note(error instanceof Error ? (error.stack ?? message) : message);
  if (debug && error instanceof Error && error.cause !== undefined)
    session.note(`cause: ${String(error.cause)}`);
  if (!debug && !known)
    session.note('This is not an error that cxr-gaze knows; --debug shows where it comes from.');
}

/** One command line, run in this process. */
export class CommandLine {
  readonly #argv: readonly string[];
  readonly #session: Session;
  readonly #debug: boolean;
  readonly #stoppedBy: () => NodeJS.Signals | undefined;

  /**
   * @param argv the words behind the program's name
   * @param session where lines go and what ends the work
   * @param stoppedBy the signal that ended the work
   */
  constructor(
    argv: readonly string[],
    session: Session,
    stoppedBy: () => NodeJS.Signals | undefined = () => undefined,
  ) {
    const all = normaliseFlags(argv);
    this.#debug = all.includes('--debug');
    this.#argv = all.filter((token) => token !== '--debug');
    this.#session = session;
    this.#stoppedBy = stoppedBy;
  }

  /** Does what is asked for. @returns the exit code */
  async run(): Promise<number> {
    try {
      const root = configure(await program(this.#argv, this.#session), this.#session);
      if (this.#argv.length === 0) root.outputHelp();
      else await root.parseAsync(this.#argv, { from: 'user' });
      return 0;
    } catch (error) {
      return this.fail(error);
    }
  }

  /** Says what went wrong. @returns the exit code */
  fail(error: unknown): number {
    report(error, this.#session, { debug: this.#debug, json: this.#argv.includes('--json') });
    return exitCodeOf(error, this.#stoppedBy());
  }
}
