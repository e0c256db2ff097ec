import { CxrGazeError } from '../errors.js';
import { requireTensors, type Tensor } from '../tensor/tensor.js';

/** One map in plain memory. */
export interface CamMap {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** `width * height` values in [0, 1], row-major. */
  readonly data: Float32Array;
}

/**
 * Reads the maps of {@link gradCam} out of a tensor.
 *
 * @param maps [B, H, W]
 * @returns one map an image
 */
export async function readMaps(maps: Tensor): Promise<CamMap[]> {
  requireTensors([maps], 'maps');
  const { shape } = await maps.ready();
  const [batch, height, width] = shape;
  if (shape.length !== 3 || batch === undefined || height === undefined || width === undefined) {
    throw new CxrGazeError(
      'ERR_INVALID_SHAPE',
      `Expected [B, H, W] for maps but received [${shape.join(', ')}]`,
    );
  }
  const values = Float32Array.from((await maps.data()) as ArrayLike<number>);
  const size = width * height;
  return Array.from({ length: batch }, (_, b) => ({
    width,
    height,
    data: values.slice(b * size, (b + 1) * size),
  }));
}
