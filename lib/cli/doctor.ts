/** `cxr-gaze doctor`: what this machine has, what is amiss, what to do next. The looking is done by scripts/doctor.mjs. */
import { flag, knownKeys } from '../validate.js';
import { printLine } from './build.js';
import { loadScript } from './scripts.js';

/** Options of {@link runDoctor}. */
export interface DoctorCommandOptions {
  /** Print one JSON object instead of lines; `false` by default. */
  readonly json?: boolean;
  /** Told each line; by default standard output. */
  readonly print?: (line: string) => void;
}

/** One thing that was looked at. */
export interface Finding {
  /** What, such as `LibTorch`. */
  readonly name: string;
  /** A `note` does not stop anything from working, a `problem` does. */
  readonly state: 'ok' | 'note' | 'problem';
  /** What was found. */
  readonly text: string;
}

/** What {@link runDoctor} found. */
export interface Diagnosis {
  /** Whether numeric work will run here. */
  readonly usable: boolean;
  /** Everything looked at. */
  readonly findings: readonly Finding[];
  /** What to do, one line each. */
  readonly next: readonly string[];
}

interface DoctorScript {
  diagnose(): Promise<Diagnosis>;
}

const MARKS = { ok: 'ok  ', note: '-   ', problem: 'FAIL' } as const;

/**
 * Prints the diagnosis; builds and downloads nothing.
 *
 * @returns the diagnosis; a command line exits with 0 only where it is `usable`
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 */
export async function runDoctor(options: DoctorCommandOptions = {}): Promise<Diagnosis> {
  knownKeys('options of doctor', options, ['json', 'print']);
  const print = options.print ?? printLine;
  const json = flag('json', options.json ?? false);
  const { diagnose } = await loadScript<DoctorScript>('doctor.mjs');
  const diagnosis = await diagnose();
  if (json) {
    print(JSON.stringify(diagnosis));
    return diagnosis;
  }
  const width = Math.max(...diagnosis.findings.map(({ name }) => name.length));
  for (const { name, state, text } of diagnosis.findings) {
    const lines = text.split('\n');
    print(`${MARKS[state]} ${name.padEnd(width)}  ${lines[0] ?? ''}`);
    for (const line of lines.slice(1)) print(`${' '.repeat(width + 7)}${line}`);
  }
  print('');
  print(diagnosis.usable ? 'cxr-gaze is ready.' : 'cxr-gaze is not usable yet.');
  if (diagnosis.next.length > 0) print(diagnosis.usable ? 'To try:' : 'Next:');
  for (const line of diagnosis.next) print(`  ${line}`);
  return diagnosis;
}
