/** `cxr-gaze build`: finds or fetches LibTorch and builds the addon. The work is done by scripts/build.mjs. */
import process from 'node:process';
import { CxrGazeError } from '../errors.js';
import { flag, integer, knownKeys } from '../validate.js';
import { loadScript } from './scripts.js';

/** Options of {@link runBuild}. */
export interface BuildCommandOptions {
  /** Whether LibTorch may be downloaded where it is nowhere on the machine; `true` by default. */
  readonly fetch?: boolean;
  /** Build from nothing although nothing changed; `false` by default. */
  readonly force?: boolean;
  /** Compilers at once, at least 1; by default one a core, as far as memory goes. */
  readonly jobs?: number;
  /** Told one line a step; by default standard output. */
  readonly print?: (line: string) => void;
}

/** What {@link runBuild} leaves. */
export interface BuildResult {
  /** Path of the addon. */
  readonly addon: string;
  /** Version of the LibTorch it was built with, such as `2.13.0+cpu`. */
  readonly libtorch: string;
  /** `false` where it was up to date. */
  readonly built: boolean;
}

interface BuildScript {
  build(options: {
    log: (line: string) => void;
    fetch: boolean;
    force: boolean;
    jobs?: number;
  }): Promise<{ addon: string; info: { libtorch: string }; built: boolean }>;
}

/** Writes one line to standard output. */
export function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

/**
 * Builds the addon where it is missing or stale.
 *
 * @throws CxrGazeError `ERR_NATIVE_NOT_BUILT` with what was tried and what to do; `ERR_INVALID_ARGUMENT`
 */
export async function runBuild(options: BuildCommandOptions = {}): Promise<BuildResult> {
  knownKeys('options of build', options, ['fetch', 'force', 'jobs', 'print']);
  const settings = {
    log: options.print ?? printLine,
    fetch: flag('fetch', options.fetch ?? true),
    force: flag('force', options.force ?? false),
    ...(options.jobs === undefined ? {} : { jobs: integer('jobs', options.jobs, { min: 1 }) }),
  };
  const script = await loadScript<BuildScript>('build.mjs');
  try {
    const { addon, info, built } = await script.build(settings);
    return { addon, libtorch: info.libtorch, built };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new CxrGazeError('ERR_NATIVE_NOT_BUILT', `The addon was not built: ${message}`, { cause });
  }
}
