/**
 * Every error that this package throws on purpose carries one of these codes.
 *
 * - `ERR_INVALID_ARGUMENT`: a value of the wrong type or out of range, an unknown option.
 * - `ERR_INVALID_SHAPE`, `ERR_INVALID_DTYPE`, `ERR_INVALID_DEVICE`: a tensor that does not fit the operation.
 * - `ERR_DISPOSED`: a tensor, model or optimizer used after `dispose()`.
 * - `ERR_BUSY`: an object that is in use and cannot be used twice at once, such as a model that is being trained.
 * - `ERR_ABORTED`: work given up because its `AbortSignal` fired.
 * - `ERR_CLOSED`: work dropped because the thread or process that asked for it is leaving.
 * - `ERR_OUT_OF_MEMORY`: host or device memory could not be had.
 * - `ERR_NATIVE`: LibTorch reported an error of no narrower kind.
 * - `ERR_NATIVE_NOT_BUILT`: the addon is not there or does not load; the message lists the paths tried.
 * - `ERR_NOT_FINITE`: a NaN or an infinity where a number is needed (a loss, a gradient, an input).
 * - `ERR_FILE`: a file that is missing, unreadable or may not be written.
 * - `ERR_PATH_ESCAPE`: a path in a table or archive that leaves its root.
 * - `ERR_IMAGE`: an image that cannot be decoded, or whose header promises more than the limits allow.
 * - `ERR_TABLE`: a label table with a missing column, an unknown label, a duplicate id.
 * - `ERR_CHECKPOINT`: a checkpoint, `.safetensors` or `.pt` file that is torn, lies about itself or is not allowed.
 * - `ERR_STATE_DICT`: keys or shapes of a state dict that do not fit the model.
 * - `ERR_DATASET`: images, labels and features that do not match.
 * - `ERR_EXISTS`: an output that is there already and may not be overwritten.
 * - `ERR_RESUME`: a run that cannot be continued with these options.
 */
export type ErrorCode =
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_INVALID_SHAPE'
  | 'ERR_INVALID_DTYPE'
  | 'ERR_INVALID_DEVICE'
  | 'ERR_DISPOSED'
  | 'ERR_BUSY'
  | 'ERR_ABORTED'
  | 'ERR_CLOSED'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_NATIVE'
  | 'ERR_NATIVE_NOT_BUILT'
  | 'ERR_NOT_FINITE'
  | 'ERR_FILE'
  | 'ERR_PATH_ESCAPE'
  | 'ERR_IMAGE'
  | 'ERR_TABLE'
  | 'ERR_CHECKPOINT'
  | 'ERR_STATE_DICT'
  | 'ERR_DATASET'
  | 'ERR_EXISTS'
  | 'ERR_RESUME';

/** What a {@link CxrGazeError} may carry besides its message. */
export interface ErrorOptions {
  /** The error that led to this one, such as sharp's own. */
  readonly cause?: unknown;
  /** Machine-readable particulars: file, line, argument, expected, found. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The one error class of this package; tell kinds apart by {@link CxrGazeError.code}. */
export class CxrGazeError extends Error {
  /** The stable kind of the error. */
  readonly code: ErrorCode;
  /** Machine-readable particulars: file, line, argument, expected, found. */
  readonly details: Readonly<Record<string, unknown>>;

  /**
   * @param code the stable kind
   * @param message one sentence that names the argument or file, what was expected and what was found
   * @param options cause and particulars
   */
  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'CxrGazeError';
    this.code = code;
    this.details = options.details ?? {};
  }
}
