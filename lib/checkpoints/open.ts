import { flag, knownKeys, text } from '../validate.js';
import { checkpointError } from './fault.js';
import type { PlainValue } from './pickle-values.js';
import { RandomFile } from './random-file.js';
import { readSafetensorsHeader } from './safetensors-read.js';
import { selectTensors } from './state-dict.js';
import type { TensorRecord } from './tensor-record.js';
import { readTorchLegacy } from './torch-legacy.js';
import { readTorchZip } from './torch-zip.js';

/** A file of tensors whose header, directory and structure have been read and checked; the bytes have not. */
export interface TensorFile {
  /** Format, by content: the extension plays no part. */
  readonly format: 'safetensors' | 'torch-zip' | 'torch-legacy';
  /** Path as the caller gave it. */
  readonly file: string;
  /** The state dict: where each tensor lies, by name, in the file's order. */
  readonly tensors: ReadonlyMap<string, TensorRecord>;
  /** The `__metadata__` of a safetensors file; empty for the others. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * Module and name of the class, such as `torchvision.models.vgg.VGG`, where a PyTorch file holds a whole module instead
   * of a state dict: the tensors are those that its `state_dict` would give.
   */
  readonly moduleClass?: string;
  /** The whole structure of a PyTorch file, with epoch, optimizer and whatever else it has; absent for safetensors. */
  readonly root?: PlainValue;
}

/** Options of {@link openTensorFile}. */
export interface OpenTensorFileOptions {
  /**
   * Top-level key of the state dict in a PyTorch file. By default the structure itself if it is a state dict, else the
   * first of `weights`, `state_dict`, `model_state_dict`, `model` that is one. `null` takes every tensor of the
   * structure under its path, such as `optimizer.state.0.exp_avg`. Safetensors files have no such levels: refused there.
   */
  readonly key?: string | null;
  /**
   * Whether the entries of a zip file are read and compared with their checksums (default true; some 1 GB/s). The
   * other formats have none.
   */
  readonly verifyChecksums?: boolean;
}

/** Enough to tell the formats, and a tar archive's mark at byte 257, apart. */
const SNIFFED_BYTES = 512;

/** PyTorch's magic number as its older files open: LONG1, length 10, little-endian. */
const LEGACY_MAGIC = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex');

/**
 * Opens a `.safetensors`, `.pt`, `.pth` or `.bin` file and reads where its tensors lie. Nothing in the file is executed,
 * and nothing larger than the file is allocated, whatever its headers claim.
 *
 * @param path the file
 * @param options which state dict to take, and whether to verify checksums
 * @throws `ERR_FILE` if it cannot be read; `ERR_CHECKPOINT`, with file and place, if it is torn, lies about itself,
 *   is of an unknown format, or asks for more than tensors, plain containers and modules
 */
export async function openTensorFile(path: string, options: OpenTensorFileOptions = {}): Promise<TensorFile> {
  text('path', path);
  knownKeys('options', options, ['key', 'verifyChecksums']);
  const { key, verifyChecksums = true } = options;
  if (key !== undefined && key !== null) text('options.key', key);
  flag('options.verifyChecksums', verifyChecksums);

  const file = await RandomFile.open(path);
  try {
    const format = await sniff(file);
    if (format === 'safetensors') {
      if (typeof key === 'string')
        throw checkpointError(path, `a safetensors file has no key ${JSON.stringify(key)} to choose`, {
          key,
        });
      return { format, file: path, ...(await readSafetensorsHeader(file)) };
    }
    const root =
      format === 'torch-zip' ? await readTorchZip(file, verifyChecksums) : await readTorchLegacy(file);
    return { format, file: path, ...selectTensors(path, root, key), metadata: {}, root };
  } finally {
    await file.close();
  }
}

async function sniff(file: RandomFile): Promise<TensorFile['format']> {
  if (file.size === 0) throw checkpointError(file.path, 'the file is empty');
  const start = await file.read(0, Math.min(SNIFFED_BYTES, file.size));
  const text = start.toString('latin1');
  if (text.startsWith('PK')) return 'torch-zip';
  // Before the test for safetensors, whose length may begin with any byte.
  if (start[0] === 0x80 && start.subarray(0, 32).includes(LEGACY_MAGIC)) return 'torch-legacy';
  if (text[8] === '{') return 'safetensors';
  const known = foreignFormat(text);
  if (known) throw checkpointError(file.path, `the file is ${known}`);
  // Not recognised, but named so: its own reader says best what is wrong with it.
  if (file.path.endsWith('.safetensors')) return 'safetensors';
  const hex = start.subarray(0, 8).toString('hex').replace(/../g, '$& ').trimEnd();
  throw checkpointError(
    file.path,
    `neither a safetensors file nor one that torch.save wrote; it begins with the bytes ${hex}`,
  );
}

/** What else the file is, where that is plain to see. */
function foreignFormat(text: string): string | undefined {
  if (text.slice(257, 262) === 'ustar')
    return 'a tar archive, the format of PyTorch before 0.2, which is not supported';
  if (text.startsWith('\x89HDF\r\n')) return 'an HDF5 file (Keras or MATLAB), which is not supported';
  if (text.startsWith('\x1f\x8b')) return 'compressed with gzip; unpack it first';
  if (text.startsWith('\x93NUMPY')) return 'a NumPy array; it has no named tensors';
  if (/^\s*<(!doctype|html)/i.test(text)) return 'a web page: a download went wrong';
  if (text.startsWith('version https://git-lfs')) return 'a Git LFS pointer; fetch the file itself';
  if (text[0] === '\x80' && text.charCodeAt(1) <= 5)
    return 'a pickle, but not one that torch.save wrote: it lacks the magic number';
  return undefined;
}
