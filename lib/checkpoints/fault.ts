import { CxrGazeError } from '../errors.js';

/**
 * The error for a file whose content is torn, lies about itself or asks for what is not allowed.
 *
 * @param file path of the file, as the caller gave it
 * @param problem what was expected and what was found, without the file's name
 * @param details machine-readable particulars beside `file`
 * @param cause the error that led to this one, if any
 */
export function checkpointError(
  file: string,
  problem: string,
  details: Readonly<Record<string, unknown>> = {},
  cause?: unknown,
): CxrGazeError {
  return new CxrGazeError('ERR_CHECKPOINT', `${file}: ${problem}`, {
    ...(cause === undefined ? {} : { cause }),
    details: { file, ...details },
  });
}

/**
 * The error for a file or folder that cannot be opened, read, written or renamed.
 *
 * @param file path of the file or folder
 * @param action what failed, as in `could not be read`
 * @param cause the system's error
 */
export function fileError(file: string, action: string, cause: unknown): CxrGazeError {
  if (cause instanceof CxrGazeError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CxrGazeError('ERR_FILE', `${file} ${action}: ${reason}`, { cause, details: { file } });
}
