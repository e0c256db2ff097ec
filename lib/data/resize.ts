import { native } from '../native.js';
import { integer, invalidArgument, object, oneOf } from '../validate.js';
import type { Pixels } from './dataset.js';

/** The largest side that {@link resizeImage} takes. */
const maxSide = 65535;

/**
 * How an image is stretched, to the bytes of the library that the originals call. `area`: OpenCV's `INTER_AREA`; an axis
 * that grows is interpolated linearly between pixel centres. `pillow-bilinear`: Pillow's `BILINEAR`, antialiased where an
 * axis shrinks (torchvision's `Resize` on Pillow images). `opencv-bilinear`: OpenCV's `INTER_LINEAR`, not antialiased.
 */
export type Interpolation = 'area' | 'pillow-bilinear' | 'opencv-bilinear';

/** The values of {@link Interpolation}. */
export const interpolations: readonly Interpolation[] = ['area', 'pillow-bilinear', 'opencv-bilinear'];

/**
 * Stretches an image; its aspect is not kept. The work runs on the data lane.
 *
 * @param pixels the image; its buffer must not be changed or transferred away until the promise is settled
 * @param width columns of the result, 1 to 65535
 * @param height rows of the result, 1 to 65535
 * @param interpolation default `area`
 * @returns a new image with the channels of the old one
 * @throws `ERR_INVALID_ARGUMENT` for sides out of range or pixels that do not fill the image
 */
export function resizeImage(
  pixels: Pixels,
  width: number,
  height: number,
  interpolation: Interpolation = 'area',
): Promise<Pixels> {
  const { data, channels } = object('pixels', pixels);
  const sourceWidth = integer('pixels.width', pixels.width, { min: 1, max: maxSide });
  const sourceHeight = integer('pixels.height', pixels.height, { min: 1, max: maxSide });
  integer('width', width, { min: 1, max: maxSide });
  integer('height', height, { min: 1, max: maxSide });
  oneOf('interpolation', interpolation, interpolations);
  if (channels !== 1 && channels !== 3) throw invalidArgument('pixels.channels', '1 or 3', channels);
  const length = sourceWidth * sourceHeight * channels;
  if (!(data instanceof Uint8Array) || data.length !== length)
    throw invalidArgument('pixels.data', `a Uint8Array of ${length}`, data);
  return native()
    .resize(data, sourceWidth, sourceHeight, channels, width, height, interpolation)
    .then((resized) => ({ width, height, channels, data: resized }));
}

/** {@link resizeImage} by area averaging. */
export function resizeArea(pixels: Pixels, width: number, height: number): Promise<Pixels> {
  return resizeImage(pixels, width, height, 'area');
}

/** Most threads that {@link dataThreads} takes. */
const maxThreads = 16;

/**
 * Number of threads of the data lane, for the whole process; 1 from the start. They run at the lowest priority, because
 * a busy thread beside LibTorch's slows a training step down several times.
 *
 * @param count sets the number first, if given; 1 to 16
 * @returns the number of threads
 */
export function dataThreads(count?: number): number {
  if (count !== undefined) native().setDataThreads(integer('count', count, { min: 1, max: maxThreads }));
  return native().dataThreads();
}
