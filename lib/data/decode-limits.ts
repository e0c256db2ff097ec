import { CxrGazeError } from '../errors.js';
import { integer, knownKeys } from '../validate.js';

/** What `decodeImage` refuses before it allocates anything. */
export interface DecodeLimits {
  /** Most pixels of one image, judged by its header; 100 million by default. */
  readonly maxPixels?: number;
  /** Largest encoded file in bytes; 512 MiB by default. */
  readonly maxBytes?: number;
}

/** Limits with their defaults filled in. @internal */
export interface CheckedLimits {
  readonly maxPixels: number;
  readonly maxBytes: number;
}

/** @internal */
export function checkLimits(limits: DecodeLimits): CheckedLimits {
  knownKeys('limits', limits, ['maxPixels', 'maxBytes']);
  return {
    // More than libvips could index is of no use.
    maxPixels: integer('limits.maxPixels', limits.maxPixels ?? 100_000_000, { min: 1, max: 0x3fff * 0x3fff }),
    maxBytes: integer('limits.maxBytes', limits.maxBytes ?? 512 * 2 ** 20, { min: 1, max: 2 ** 31 - 1 }),
  };
}

/** The error of an image that cannot be used. @internal */
export function imageError(
  name: string,
  problem: string,
  details: Readonly<Record<string, unknown>> = {},
  cause?: unknown,
): CxrGazeError {
  return new CxrGazeError('ERR_IMAGE', `Cannot decode ${name}: ${problem}`, {
    ...(cause === undefined ? {} : { cause }),
    details: { file: name, ...details },
  });
}

/** Refuses a header's size before anything of that size is allocated. @internal */
export function checkSize(name: string, width: number, height: number, { maxPixels }: CheckedLimits): void {
  if (width > 0 && height > 0 && width * height <= maxPixels) return;
  const problem =
    width > 0 && height > 0
      ? `its header claims ${width}x${height} pixels, more than the ${maxPixels} that maxPixels allows`
      : `its header claims ${width}x${height} pixels`;
  throw imageError(name, problem, { width, height, maxPixels });
}
