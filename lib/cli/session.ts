/** What every command speaks through: standard output for results, standard error for everything about them. */
import process from 'node:process';
import { Progress } from './progress.js';

/** Where lines go and what ends the work. */
export interface Session {
  /** Fires at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Standard output, one line. */
  print(line: string): void;
  /** Standard error, one line. */
  note(line: string): void;
  /** A bar on a terminal, lines now and then elsewhere. */
  progress(label: string, total: number, unit?: string): Progress;
}

/** The lines of one command: for a person, or as one JSON object a line for a program. */
export class Output {
  readonly #session: Session;
  /** Whether a program listens. */
  readonly json: boolean;

  /** @param session where lines go; @param json `--json` */
  constructor(session: Session, json: boolean) {
    this.#session = session;
    this.json = json;
  }

  /** A line for a person; nothing under `--json`. */
  say(line: string): void {
    if (!this.json) this.#session.print(line);
  }

  /** An object for a program; nothing without `--json`. */
  event(event: object): void {
    if (this.json) this.#session.print(JSON.stringify(event));
  }

  /** Something that must not go unseen: standard error, and an object for a program. */
  warn(kind: string, message: string, details: Readonly<Record<string, unknown>> = {}): void {
    this.#session.note(`warning: ${message}`);
    this.event({ type: 'warning', kind, message, ...details });
  }
}

/** The session of this process. */
export function processSession(signal: AbortSignal): Session {
  const { stdout, stderr } = process;
  return {
    signal,
    print: (line) => {
      Progress.clear();
      stdout.write(`${line}\n`);
    },
    note: (line) => {
      Progress.clear();
      stderr.write(`${line}\n`);
    },
    progress: (label, total, unit) => new Progress(stderr, { label, total, ...(unit ? { unit } : {}) }),
  };
}
