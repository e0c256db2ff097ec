/** `--gpu` of loc-attention's programs: a number, and without it whatever is there. */
import { InvalidArgumentError } from 'commander';
import { CxrGazeError } from '../errors.js';
import { native } from '../native.js';
import { zeros } from '../tensor/create.js';
import { usageError } from './options.js';

/** Reads `--gpu`: the number of a GPU, or `cpu`. */
export function asGpu(text: string): string {
  if (text === 'cpu') return 'cpu';
  if (/^\d{1,3}$/.test(text.trim())) return `cuda:${Number(text)}`;
  throw new InvalidArgumentError("Expected the number of a GPU, such as 0, or 'cpu'.");
}

/**
 * The device that is computed on: a GPU that is named has to be there; where none is named, the first one, else the CPU.
 *
 * @param named what {@link asGpu} read
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT` for a GPU that is not there
 */
export async function gpuDevice(named: string | undefined): Promise<string> {
  if (named === 'cpu') return named;
  const { cudaBuilt, cudaVisible } = native().buildInfo();
  if (named === undefined) return cudaVisible ? 'cuda:0' : 'cpu';
  const number = named.slice('cuda:'.length);
  if (!cudaVisible) {
    const why = cudaBuilt ? 'no GPU answers' : 'this LibTorch was built without CUDA';
    throw usageError(`Expected a GPU for --gpu ${number} but ${why}; without --gpu the CPU is used`);
  }
  using probe = zeros([1], { device: named });
  await probe.ready().catch((cause: unknown) => {
    if (!(cause instanceof CxrGazeError)) throw cause;
    throw usageError(`Expected a GPU for --gpu ${number} but it is not there: ${cause.message}`);
  });
  return named;
}
