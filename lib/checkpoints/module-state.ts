import { checkpointError } from './fault.js';
import { isTensorRecord, kindOf, PickleRecord, PlainDict, type PlainValue } from './pickle-values.js';
import type { TensorRecord } from './tensor-record.js';

/** Deepest nesting of modules, and most values visited: modules may be shared, and a hostile file may make circles. */
const MAX_DEPTH = 64;
const MAX_VISITS = 1_000_000;

/** Whether a record is a `torch.nn.Module` that was pickled whole. */
export function isModule(value: PlainValue | undefined): value is PickleRecord {
  const members = value instanceof PickleRecord ? value.attributes : undefined;
  return ['_parameters', '_modules'].every((name) => members?.get(name) instanceof PlainDict);
}

/**
 * The state dict of a module that was pickled whole, as `Module.state_dict` would give it: each module's parameters, then
 * its buffers without those that are not persistent, then its children's under their names. What is `None` is left out; a
 * module that is reached by two names has its tensors under both.
 *
 * @param file path of the file, for messages
 * @param module the record of the outermost module
 * @throws CxrGazeError `ERR_CHECKPOINT` where it is no such module, or contains itself
 */
export function moduleState(file: string, module: PickleRecord): Map<string, TensorRecord> {
  const state = new Map<string, TensorRecord>();
  let visits = 0;

  const visit = (name: string, value: PlainValue): void => {
    if (++visits > MAX_VISITS)
      throw checkpointError(file, `the module unfolds into more than ${MAX_VISITS} members`);
    if (value === null) return;
    if (!isTensorRecord(value))
      throw checkpointError(file, `${JSON.stringify(name)} is ${kindOf(value)}, not a tensor`);
    if (state.has(name))
      throw checkpointError(file, `two tensors of the module have the name ${JSON.stringify(name)}`);
    state.set(name, Object.freeze({ ...value, name }));
  };

  const walk = (record: PlainValue, prefix: string, depth: number): void => {
    if (++visits > MAX_VISITS)
      throw checkpointError(file, `the module unfolds into more than ${MAX_VISITS} members`);
    if (record === null) return;
    const name = prefix === '' ? 'the outermost module' : JSON.stringify(prefix.slice(0, -1));
    if (!isModule(record)) throw checkpointError(file, `${name} is ${kindOf(record)}, not a module`);
    if (depth > MAX_DEPTH)
      throw checkpointError(
        file,
        `modules are nested deeper than ${MAX_DEPTH} levels, or contain themselves`,
      );
    const passing = record.attributes?.get('_non_persistent_buffers_set');
    const isPassing = (key: string): boolean => passing instanceof Set && passing.has(key);
    for (const [key, value] of members(record, '_parameters')) visit(prefix + key, value);
    for (const [key, value] of members(record, '_buffers')) if (!isPassing(key)) visit(prefix + key, value);
    for (const [key, value] of members(record, '_modules')) walk(value, `${prefix}${key}.`, depth + 1);
  };

  const members = (record: PickleRecord, kind: string): [string, PlainValue][] => {
    const dict = record.attributes?.get(kind) ?? new PlainDict();
    if (!(dict instanceof PlainDict))
      throw checkpointError(file, `${kind} of ${kindOf(record)} is ${kindOf(dict)}, not a dict`);
    return [...dict].map(([key, value]) => {
      if (typeof key === 'string') return [key, value];
      throw checkpointError(file, `${kind} of ${kindOf(record)} has a name that is ${kindOf(key)}`);
    });
  };

  walk(module, '', 0);
  return state;
}
