import sharp from 'sharp';
import type { ImageSource } from './dataset.js';
import { decodeImage } from './decode.js';

/**
 * The size that an image is decoded to. The header of a file suffices, but for DICOM, which is decoded.
 *
 * @throws CxrGazeError `ERR_FILE`, `ERR_IMAGE` as the decoder
 * @internal
 */
export async function imageSize(
  source: ImageSource,
): Promise<{ readonly width: number; readonly height: number }> {
  if (source.kind === 'file' && !/\.(dcm|dicom)$/i.test(source.path)) {
    const header = await sharp(source.path)
      .metadata()
      .catch(() => undefined);
    // Turned as the decoder turns it.
    const turned = header?.autoOrient ?? header;
    if (turned?.width && turned.height) return { width: turned.width, height: turned.height };
  }
  // Whatever is wrong with it, the decoder says it best.
  const { width, height } = await decodeImage(source);
  return { width, height };
}
