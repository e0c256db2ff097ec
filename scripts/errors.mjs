/**
 * Errors of set-up. These scripts run before TypeScript is compiled, so they cannot use lib/errors.ts; the command line
 * turns one of these into a CxrGazeError of the same message.
 */
export class SetupError extends Error {
  /**
   * @param {string} message what failed, with what was tried
   * @param {{ remedy?: readonly string[], cause?: unknown }} [options] what to do, one line each
   */
  constructor(message, options = {}) {
    const remedy = options.remedy ?? [];
    super([message, ...remedy.map((line) => `  - ${line}`)].join('\n'), { cause: options.cause });
    this.name = 'SetupError';
    this.code = 'ERR_NATIVE_NOT_BUILT';
  }
}

/**
 * Prints what a script was stopped by and ends it: the message alone for what set-up foresaw, with a stack otherwise.
 *
 * @param {unknown} error
 */
export function failScript(error) {
  const text =
    error instanceof SetupError
      ? error.message
      : error instanceof Error
        ? (error.stack ?? error.message)
        : String(error);
  process.stderr.write(`\ncxr-gaze set-up failed: ${text}\n`);
  process.exitCode = 1;
}
