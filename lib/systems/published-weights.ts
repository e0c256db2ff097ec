import { openTensorFile } from '../checkpoints/open.js';
import { readTensor } from '../checkpoints/read-tensors.js';
import type { TensorRecord } from '../checkpoints/tensor-record.js';
import { type Architecture, headKey } from '../models/model.js';
import type { Tensor } from '../tensor/tensor.js';
import { invalidArgument, knownKeys, object } from '../validate.js';
import { unwrap } from './wrapper-prefix.js';

/** What a file of published weights turns out to hold. */
export interface PublishedWeights {
  /** Where each tensor lies, by the key that our networks have for it. */
  readonly tensors: ReadonlyMap<string, TensorRecord>;
  /** The network that they belong to, as far as its keys and the class of a whole module tell. */
  readonly architecture: Architecture | 'unet' | undefined;
  /** Number of classes: the length of the head's last bias. 1 for a U-Net; `undefined` without a head. */
  readonly classes: number | undefined;
  /** Class of the module, where it was pickled whole; else `undefined`. */
  readonly moduleClass: string | undefined;
  /**
   * What stood before the network's keys and was taken off, such as `module._orig_mod.` or `model.`; empty where nothing
   * did, `undefined` where no known network was found.
   */
  readonly prefix: string | undefined;
  /** Keys of the file that do not begin with the prefix, and are not among the tensors. */
  readonly leftOut: readonly string[];
}

/** Options of {@link describeWeights}. */
export interface DescribeWeightsOptions {
  /** Top-level key of the state dict in a PyTorch file, where it is not one of the usual ones; see `openTensorFile`. */
  readonly key?: string;
}

/**
 * Reads what a file of published weights holds, without its tensors' bytes: torchvision's, timm's, the PVT authors' or the
 * original programs' keys, whatever wrappers put before them; a state dict, or a module that was pickled whole (read
 * inertly: nothing in it is executed).
 *
 * @param file a `.safetensors`, `.pt`, `.pth` or `.bin` file
 * @param options which state dict of the file
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`, `ERR_FILE`, `ERR_CHECKPOINT`; `ERR_STATE_DICT` where it holds several networks
 */
export async function describeWeights(
  file: string,
  options: DescribeWeightsOptions = {},
): Promise<PublishedWeights> {
  knownKeys('options', options, ['key']);
  return openWeights(file, options);
}

/**
 * @internal As {@link describeWeights}, for one who knows which network is wanted: others beside it are left out.
 *
 * @param wanted if the file has none of this family, it is described as it is
 */
export async function openWeights(
  file: string,
  { key, wanted }: { readonly key?: string | undefined; readonly wanted?: Family },
): Promise<PublishedWeights> {
  const { tensors: found, moduleClass } = await openTensorFile(file, key === undefined ? {} : { key });
  const first = wanted && unwrap(file, found, anchors[wanted]);
  const { state, prefix, leftOut } =
    first?.prefix === undefined ? unwrap(file, found, Object.values(anchors).flat()) : first;
  const tensors = renameKeys(state);
  const architecture = architectureOf(tensors, moduleClass);
  return { tensors, architecture, classes: classesOf(tensors, architecture), moduleClass, prefix, leftOut };
}

/**
 * Reads all tensors that {@link describeWeights} has found; to be disposed by the caller or the enclosing `tidy`.
 *
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`; `ERR_FILE` when read
 */
export function readWeights(weights: PublishedWeights): Map<string, Tensor> {
  const { tensors } = object('weights', weights);
  if (!(tensors instanceof Map)) throw invalidArgument('weights', 'what describeWeights gives', weights);
  return new Map([...tensors].map(([name, record]) => [name, readTensor(record)]));
}

/** Keys as our networks have them. */
function renameKeys<T>(state: ReadonlyMap<string, T>): Map<string, T> {
  const isPvt = [...state.keys()].some((key) => key.startsWith('patch_embed1.'));
  return new Map([...state].map(([key, value]) => [isPvt ? pvtKey(key) : key, value]));
}

/** A key of the PVT authors (`whai362/PVT: classification/pvt_v2.py`) as timm names it. */
export function pvtKey(key: string): string {
  return key
    .replace(/^patch_embed1\./, 'patch_embed.')
    .replace(/^patch_embed([234])\./, (_, n: string) => `stages.${Number(n) - 1}.downsample.`)
    .replace(/^block([1-4])\.(\d+)\./, (_, n: string, j: string) => `stages.${Number(n) - 1}.blocks.${j}.`)
    .replace(/^norm([1-4])\./, (_, n: string) => `stages.${Number(n) - 1}.norm.`)
    .replace('.dwconv.dwconv.', '.dwconv.');
}

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** Which of our networks a class of a whole module belongs to. */
const families: Readonly<Record<string, Family>> = {
  'torchvision.models.resnet.ResNet': 'resnet',
  'torchvision.models.vgg.VGG': 'vgg',
  'timm.models.pvt_v2.PyramidVisionTransformerV2': 'pvt',
  'model.build_unet': 'unet',
};

/** @internal Networks with the same names of their layers. */
export type Family = 'resnet' | 'vgg' | 'pvt' | 'unet';

/** Keys that only one family has, whatever its size and width; PVT's as timm and as its authors name it. */
const anchors: Readonly<Record<Family, readonly string[]>> = {
  resnet: ['layer1.0.conv1.weight'],
  vgg: ['features.0.weight'],
  pvt: ['stages.0.blocks.0.attn.q.weight', 'block1.0.attn.q.weight'],
  unet: ['e1.conv.conv1.weight'],
};

/** @internal The family of a backbone. */
export function backboneFamily(architecture: Architecture): Family {
  if (architecture === 'vgg16') return 'vgg';
  return architecture.startsWith('pvt') ? 'pvt' : 'resnet';
}

/** By kind of block and number of blocks. */
const resnets: Readonly<Record<string, Architecture>> = {
  basic8: 'resnet18',
  basic16: 'resnet34',
  bottleneck16: 'resnet50',
  bottleneck33: 'resnet101',
};

/** By width of the first stage and number of blocks; `li` where even the last stage reduces keys and values. */
const pvts: Readonly<Record<string, Architecture>> = {
  '32x8': 'pvt_v2_b0',
  '64x8': 'pvt_v2_b1',
  '64x16': 'pvt_v2_b2',
  '64x16li': 'pvt_v2_b2_li',
  '64x28': 'pvt_v2_b3',
  '64x41': 'pvt_v2_b4',
  '64x52': 'pvt_v2_b5',
};

function architectureOf(state: Shapes, moduleClass: string | undefined): Architecture | 'unet' | undefined {
  const family = familyOf(state);
  if (moduleClass !== undefined && moduleClass in families && families[moduleClass] !== family)
    return undefined;
  const count = (pattern: RegExp): number => [...state.keys()].filter((key) => pattern.test(key)).length;
  if (family === 'resnet') {
    const kind = state.has('layer1.0.conv3.weight') ? 'bottleneck' : 'basic';
    return resnets[`${kind}${count(/^layer\d\.\d+\.conv1\.weight$/)}`];
  }
  if (family === 'pvt') {
    const width = state.get('patch_embed.proj.weight')?.shape[0];
    const blocks = count(/^stages\.\d\.blocks\.\d+\.norm1\.weight$/);
    return pvts[`${width}x${blocks}${state.has('stages.3.blocks.0.attn.sr.weight') ? 'li' : ''}`];
  }
  return family === 'vgg' ? 'vgg16' : family;
}

/** A key and the shape that tells a family from others with the same names. */
function familyOf(state: Shapes): Family | undefined {
  const is = (key: string, shape: readonly number[]): boolean =>
    state.get(key)?.shape.join() === shape.join();
  if (is('conv1.weight', [64, 3, 7, 7]) && state.has('layer4.0.conv1.weight')) return 'resnet';
  if (is('features.28.weight', [512, 512, 3, 3]) && !state.has('features.30.weight')) return 'vgg';
  if (state.has('patch_embed.proj.weight') && state.has('stages.3.norm.weight')) return 'pvt';
  if (is('e1.conv.conv1.weight', [64, 3, 3, 3]) && is('outputs.weight', [1, 64, 1, 1])) return 'unet';
  return undefined;
}

/** The length of the head's bias: of its last layer, where it has two. */
function classesOf(state: Shapes, architecture: PublishedWeights['architecture']): number | undefined {
  if (architecture === undefined) return undefined;
  const head = architecture === 'unet' ? 'outputs' : headKey(architecture);
  return (state.get(`${head}.bias`) ?? state.get(`${head}.1.bias`))?.shape[0];
}
