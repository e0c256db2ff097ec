import { run } from '../tensor/run.js';
import type { Tensor } from '../tensor/tensor.js';
import { type OpenTensorFileOptions, openTensorFile } from './open.js';
import type { TensorRecord } from './tensor-record.js';

/** The tensor that a record describes, read on the compute lane. */
export function readTensor(record: TensorRecord): Tensor {
  const { file, byteOffset, dtype, shape, strides } = record;
  return run('io.readTensor', [], { file, byteOffset, dtype, shape, strides });
}

/**
 * Reads the tensors of a `.safetensors` file, or of a PyTorch `.pt`, `.pth` or `.bin` file. Nothing in the file is
 * executed.
 *
 * @param path the file; its kind is told by its content
 * @param options which part of a PyTorch file holds the weights
 * @returns tensors by key, to be disposed by the caller or the enclosing `tidy`
 * @throws CxrGazeError `ERR_CHECKPOINT` for a file that is torn, lies about itself or wants to run code
 */
export async function readTensors(
  path: string,
  options: OpenTensorFileOptions = {},
): Promise<Map<string, Tensor>> {
  const { tensors } = await openTensorFile(path, options);
  return new Map([...tensors].map(([name, record]) => [name, readTensor(record)]));
}
