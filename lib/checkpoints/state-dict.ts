import type { CxrGazeError } from '../errors.js';
import { didYouMean, nearest } from '../validate.js';
import { checkpointError } from './fault.js';
import { isModule, moduleState } from './module-state.js';
import { isTensorRecord, kindOf, type PickleRecord, PlainDict, type PlainValue } from './pickle-values.js';
import type { TensorRecord } from './tensor-record.js';

/** Top-level keys under which training programs keep their weights, in order of preference. */
const USUAL_KEYS = ['weights', 'state_dict', 'model_state_dict', 'model'];

/** Most values visited where a whole structure is flattened; sharing can make a small pickle unfold without bound. */
const MAX_VISITS = 1_000_000;
const MAX_DEPTH = 32;

/** A state dict, and the class of the module that was pickled whole, if it comes from one. */
export interface SelectedTensors {
  /** Where each tensor lies, by name. */
  readonly tensors: Map<string, TensorRecord>;
  /** Such as `torchvision.models.vgg.VGG`. */
  readonly moduleClass?: string;
}

/**
 * Picks the state dict out of a checkpoint's structure. A module that was pickled whole stands for its state dict.
 *
 * @param file path of the file, for messages
 * @param root the whole structure
 * @param key top-level key of the state dict; `undefined` takes the structure itself if it is one, else the first of
 *   `weights`, `state_dict`, `model_state_dict`, `model` that is, else the structure without the numbers and texts among its
 *   tensors; `null` takes every tensor of the structure under its path, such as `optimizer.state.0.exp_avg`
 */
export function selectTensors(file: string, root: PlainValue, key?: string | null): SelectedTensors {
  if (key === null) return { tensors: flatten(file, root) };
  if (key === undefined) {
    const found = holdsState(root) ? root : USUAL_KEYS.map((usual) => childOf(root, usual)).find(holdsState);
    if (found) return stateOf(file, found);
    // `torch.save({ **model.state_dict(), 'epoch': 3 })`
    if (isMixedState(root)) return stateOf(file, root);
    throw noStateDict(file, root);
  }
  const chosen = childOf(root, key);
  if (holdsState(chosen) || isMixedState(chosen)) return stateOf(file, chosen);
  if (chosen === undefined) {
    const keys = topKeys(root);
    const near = nearest(key, keys);
    throw checkpointError(
      file,
      `there is no key ${JSON.stringify(key)}${didYouMean(near)} The file has ${listed(keys)}`,
      { key, keys },
    );
  }
  throw checkpointError(
    file,
    `the value of ${JSON.stringify(key)} is no state dict (a dict of tensors by name), but ${kindOf(chosen)}`,
    { key },
  );
}

function noStateDict(file: string, root: PlainValue): CxrGazeError {
  const keys = topKeys(root);
  const problem = `no state dict found: the structure is ${kindOf(root)} with ${listed(keys)}, not a dict of tensors by name nor one under ${USUAL_KEYS.join(', ')}; name one by the option key (--weights_key of the commands that train)`;
  return checkpointError(file, problem, { keys });
}

/** A dict of named tensors. Modules may add entries of their own, which PyTorch names `_extra_state`. */
function isStateDict(value: PlainValue | undefined): value is PlainDict {
  if (!(value instanceof PlainDict) || value.size === 0) return false;
  return [...value].every(
    ([name, item]) => typeof name === 'string' && (isTensorRecord(item) || /(^|\.)_extra_state$/.test(name)),
  );
}

/** Layers' tensors with a few numbers or texts among them; layers, since lone tensors beside numbers may be anything. */
function isMixedState(value: PlainValue | undefined): value is PlainDict {
  if (!(value instanceof PlainDict)) return false;
  const others = [...value].filter(([name, item]) => typeof name !== 'string' || !isTensorRecord(item));
  const hasLayer = [...value].some(([name, item]) => isTensorRecord(item) && String(name).includes('.'));
  return hasLayer && others.every(([name, item]) => typeof name === 'string' && isScalar(item));
}

function isScalar(value: PlainValue): boolean {
  return value === null || ['boolean', 'number', 'bigint', 'string'].includes(typeof value);
}

function holdsState(value: PlainValue | undefined): value is PlainDict | PickleRecord {
  return isStateDict(value) || isModule(value);
}

function stateOf(file: string, value: PlainDict | PickleRecord): SelectedTensors {
  if (value instanceof PlainDict) return { tensors: namedTensors(value) };
  return { tensors: moduleState(file, value), moduleClass: value.className };
}

function namedTensors(dict: PlainDict): Map<string, TensorRecord> {
  const tensors = new Map<string, TensorRecord>();
  for (const [name, item] of dict) {
    if (isTensorRecord(item)) tensors.set(name as string, Object.freeze({ ...item, name: name as string }));
  }
  return tensors;
}

function childOf(root: PlainValue, key: string): PlainValue | undefined {
  return root instanceof PlainDict ? root.get(key) : undefined;
}

function topKeys(root: PlainValue): string[] {
  return root instanceof PlainDict ? [...root.keys()].filter((key) => typeof key === 'string') : [];
}

function listed(keys: readonly string[]): string {
  if (keys.length === 0) return 'no keys';
  const shown = keys
    .slice(0, 12)
    .map((key) => JSON.stringify(key.length > 60 ? `${key.slice(0, 57)}...` : key));
  return `the key${keys.length > 1 ? 's' : ''} ${shown.join(', ')}${keys.length > 12 ? ` and ${keys.length - 12} more` : ''}`;
}

function flatten(file: string, root: PlainValue): Map<string, TensorRecord> {
  const tensors = new Map<string, TensorRecord>();
  let visits = 0;
  const visit = (value: PlainValue, path: readonly string[]): void => {
    if (++visits > MAX_VISITS)
      throw checkpointError(file, `the structure unfolds into more than ${MAX_VISITS} values`);
    if (path.length > MAX_DEPTH)
      throw checkpointError(
        file,
        `the structure is nested deeper than ${MAX_DEPTH} levels, or contains itself`,
      );
    if (value instanceof PlainDict) for (const [key, item] of value) visit(item, [...path, String(key)]);
    else if (Array.isArray(value))
      for (const [index, item] of value.entries()) visit(item as PlainValue, [...path, String(index)]);
    else if (isModule(value))
      for (const [name, item] of moduleState(file, value)) visit(item, [...path, name]);
    else if (isTensorRecord(value)) {
      const name = path.join('.');
      if (tensors.has(name))
        throw checkpointError(file, `two tensors of the structure have the path ${JSON.stringify(name)}`);
      tensors.set(name, Object.freeze({ ...value, name }));
    }
  };
  visit(root, []);
  return tensors;
}
