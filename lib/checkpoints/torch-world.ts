import { checkpointError } from './fault.js';
import {
  isTensorRecord,
  kindOf,
  PickleClass,
  PickleGlobal,
  type PickleItem,
  PickleOpaque,
  type PicklePlace,
  type PickleWorld,
  PlainDict,
  type PlainValue,
} from './pickle-values.js';
import { pythonObjects } from './python-objects.js';
import {
  elementCount,
  STORED_BYTES,
  type StoredDType,
  spannedElements,
  type TensorRecord,
} from './tensor-record.js';

/** Element types by the name of PyTorch's storage class. An untyped storage counts bytes. */
const STORAGE_CLASSES: Readonly<Record<string, StoredDType>> = {
  'torch.DoubleStorage': 'float64',
  'torch.FloatStorage': 'float32',
  'torch.HalfStorage': 'float16',
  'torch.BFloat16Storage': 'bfloat16',
  'torch.LongStorage': 'int64',
  'torch.IntStorage': 'int32',
  'torch.ShortStorage': 'int16',
  'torch.CharStorage': 'int8',
  'torch.ByteStorage': 'uint8',
  'torch.BoolStorage': 'bool',
  'torch.storage.UntypedStorage': 'uint8',
};

/** `torch.dtype`s that are plain values: all of PyTorch's ordinary ones, for a configuration may name any. */
const DTYPES = new Set(
  'float64 double float32 float float16 half bfloat16 int64 long int32 int int16 short int8 uint8 uint16 uint32 uint64 bool complex64 complex128'
    .split(' ')
    .map((name) => `torch.${name}`),
);

/** Classes that a defaultdict may name as its factory. They are names here, not callable. */
const FACTORIES = ['dict', 'list', 'int', 'float', 'str'].flatMap((name) => [
  `builtins.${name}`,
  `__builtin__.${name}`,
]);

/** A storage that the pickle refers to; its bytes lie elsewhere in the file. */
export class StorageRef extends PickleOpaque {
  /** Key under which the file keeps the bytes. */
  readonly key: string;
  /** Element type in which it counts. */
  readonly dtype: StoredDType;
  /** First element, and number of elements, of the part of the kept storage that this is. */
  readonly start: number;
  /** Number of elements. */
  readonly count: number;
  /** Number of elements of the whole kept storage, of which this may be a view. */
  readonly total: number;

  /** @param fields the members */
  constructor(fields: { key: string; dtype: StoredDType; start: number; count: number; total: number }) {
    super('a bare storage');
    this.key = fields.key;
    this.dtype = fields.dtype;
    this.start = fields.start;
    this.count = fields.count;
    this.total = fields.total;
  }
}

/** The place of a kept storage in the file, in bytes. */
export interface StoragePlace {
  /** Position of its first byte. */
  readonly byteOffset: number;
  /** Number of bytes. */
  readonly bytes: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Pending {
  readonly record: Mutable<TensorRecord>;
  readonly storage: StorageRef;
  /** First element, counted in the tensor's own type. */
  readonly offset: number;
  readonly place: string;
}

/**
 * The globals of PyTorch's checkpoints; other classes are those of inert records, as modules pickled whole have them. Tensors
 * are built as records without place; {@link TorchWorld.place} fills in where their bytes lie once that is known (the
 * older format says so only after the pickle).
 */
export class TorchWorld implements PickleWorld {
  /** Unknown names may be classes of records. */
  readonly records = true;
  /** Storages by key, as first mentioned. */
  readonly storages = new Map<string, StorageRef>();
  readonly #file: string;
  readonly #pending: Pending[] = [];
  readonly #globals: ReadonlyMap<string, PickleItem>;
  readonly #storageClasses = new Map<PickleItem, StoredDType>();

  /** @param file path of the file that the pickle lies in */
  constructor(file: string) {
    this.#file = file;
    this.#globals = this.#table();
  }

  /** The stand-in for an allowed name. */
  global(path: string): PickleItem | undefined {
    return this.#globals.get(path);
  }

  /**
   * `('storage', class, key, location, number of elements[, view])`; where the bytes once lived does not matter. In the older
   * format also `('module', class, source file, source)`, a module's class with its text, which nobody reads.
   */
  persistent(id: PickleItem, place: PicklePlace): PickleItem {
    const [tag, type, key, , count, view] = (Array.isArray(id) ? id : []) as readonly PickleItem[];
    if (tag === 'module' && type instanceof PickleClass) return type;
    if (tag !== 'storage')
      throw place.error(`the pickle refers to an outside object that is no storage (${shownTag(tag)})`);
    if (type instanceof PickleClass) throw type.refusal();
    const dtype = this.#storageClasses.get(type as PickleItem);
    if (!dtype) throw place.error(`the class of a storage is ${kindOf(type ?? null)}`);
    if (typeof key !== 'string')
      throw place.error(`the key of a storage must be a string, but is ${kindOf(key ?? null)}`);
    const total = countOf(count, 'the size of a storage', place);
    let [start, length] = [0, total];
    if (view !== undefined && view !== null) {
      const [, viewStart, viewLength] = (Array.isArray(view) ? view : []) as readonly PickleItem[];
      start = countOf(viewStart, 'the start of a storage view', place);
      length = countOf(viewLength, 'the size of a storage view', place);
      if (start + length > total)
        throw place.error(`a view of ${length} elements from ${start} leaves its storage of ${total}`);
    }
    const storage = new StorageRef({ key, dtype, start, count: length, total });
    const first = this.storages.get(key);
    if (first && first.total * STORED_BYTES[first.dtype] !== total * STORED_BYTES[dtype]) {
      throw place.error(`the storage ${JSON.stringify(key)} is given two sizes`);
    }
    if (!first) this.storages.set(key, storage);
    return storage;
  }

  /**
   * Gives every tensor its place and checks that it fits there.
   *
   * @param layout the place of each kept storage by key
   * @param fileBytes size of the file: no tensor, expanded or not, may have more elements than would fit into it
   */
  place(layout: ReadonlyMap<string, StoragePlace>, fileBytes: number): void {
    for (const { record, storage, offset, place } of this.#pending) {
      const fail = (problem: string): Error =>
        checkpointError(
          this.#file,
          `the tensor of shape [${record.shape.join(', ')}] built ${place} ${problem}`,
          { storage: storage.key },
        );
      const kept = layout.get(storage.key);
      if (!kept) throw fail(`views the storage ${JSON.stringify(storage.key)}, which is not in the file`);
      const storageSize = STORED_BYTES[storage.dtype];
      if (storage.total * storageSize !== kept.bytes) {
        throw fail(
          `needs a storage of ${storage.total * storageSize} bytes, but ${JSON.stringify(storage.key)} has ${kept.bytes}`,
        );
      }
      const size = STORED_BYTES[record.dtype];
      const available = storage.count * storageSize;
      const span = spannedElements(record.shape, record.strides);
      const count = elementCount(record.shape);
      const end = span === undefined ? undefined : (offset + span) * size;
      if (end === undefined || !(end <= available)) {
        throw fail(
          `with strides [${record.strides.join(', ')}] and offset ${offset} leaves its storage of ${available} bytes`,
        );
      }
      if (count === undefined || count * size > fileBytes)
        throw fail('has more elements than the file has room for');
      record.byteOffset = kept.byteOffset + storage.start * storageSize + offset * size;
      record.storageBytes = available - offset * size;
      Object.freeze(record);
    }
  }

  #table(): ReadonlyMap<string, PickleItem> {
    const table = new Map<string, PickleItem>(pythonObjects());
    const add = (path: string, call?: PickleGlobal['call']): PickleGlobal => {
      const entry = new PickleGlobal(path, call);
      table.set(path, entry);
      return entry;
    };
    for (const [path, dtype] of Object.entries(STORAGE_CLASSES)) this.#storageClasses.set(add(path), dtype);
    for (const path of DTYPES) table.set(path, path);
    for (const path of [...FACTORIES, 'torch.Tensor', 'torch.nn.parameter.Parameter']) add(path);
    add('collections.OrderedDict', makeDict);
    add('collections.Counter', makeDict);
    add('collections.defaultdict', (args, place) => makeDict(args.slice(1), place));
    for (const module of ['builtins', '__builtin__']) {
      add(`${module}.set`, makeSet);
      add(`${module}.frozenset`, makeSet);
    }
    add('_codecs.encode', encodeLatin1);
    add('torch.Size', makeSize);
    add('torch.device', makeDevice);
    add('torch._utils._rebuild_tensor', (args, place) => this.#tensor(args, undefined, undefined, place));
    add('torch._utils._rebuild_tensor_v2', (args, place) => this.#tensor(args, undefined, args[6], place));
    add('torch._utils._rebuild_tensor_v3', (args, place) =>
      this.#tensor(args, args[6] ?? null, args[7], place),
    );
    add('torch._utils._rebuild_parameter', sameTensor);
    add('torch._utils._rebuild_parameter_with_state', sameTensor);
    add('torch._tensor._rebuild_from_type_v2', rebuildFromType);
    return table;
  }

  /** `(storage, offset, shape, strides, …)`: what PyTorch's rebuild functions have in common. */
  #tensor(
    args: readonly PickleItem[],
    dtype: PickleItem | undefined,
    flags: PickleItem | undefined,
    place: PicklePlace,
  ): TensorRecord {
    const [storage, offset, shape, strides] = args;
    if (!(storage instanceof StorageRef))
      throw place.error(`a tensor is built on ${kindOf(storage ?? null)} instead of a storage`);
    const start = countOf(offset, 'the offset of a tensor', place);
    const sizes = counts(shape, 'the shape of a tensor', place);
    const steps = counts(strides, 'the strides of a tensor', place);
    if (sizes.length !== steps.length)
      throw place.error(`a tensor of ${sizes.length} dimensions has ${steps.length} strides`);
    if (flags instanceof PlainDict && [...flags.values()].some((set) => set === true)) {
      throw place.error(
        `a tensor is stored ${[...flags.keys()].join(' and ')}, to be undone on reading, which is not supported`,
      );
    }
    const type = dtype === undefined ? storage.dtype : namedDType(dtype);
    if (!type)
      throw place.error(
        `a tensor has the dtype ${typeof dtype === 'string' ? dtype : kindOf(dtype)}, which is not supported`,
      );
    const record = {
      name: '',
      dtype: type,
      shape: Object.freeze(sizes),
      strides: Object.freeze(steps),
      file: this.#file,
      byteOffset: 0,
      storageBytes: 0,
    };
    this.#pending.push({ record, storage, offset: start, place: `at byte ${place.position} of the pickle` });
    return record;
  }
}

function shownTag(tag: PickleItem | undefined): string {
  return typeof tag === 'string' ? JSON.stringify(tag.slice(0, 40)) : kindOf(tag ?? null);
}

function namedDType(dtype: PickleItem): StoredDType | undefined {
  const name = typeof dtype === 'string' ? dtype.replace('torch.', '') : '';
  return Object.hasOwn(STORED_BYTES, name) ? (name as StoredDType) : undefined;
}

function countOf(value: PickleItem | undefined, name: string, place: PicklePlace): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  const shown =
    typeof value === 'number' || typeof value === 'bigint' ? String(value) : kindOf(value ?? null);
  throw place.error(`${name} must be an integer of at least 0, but is ${shown}`);
}

function counts(value: PickleItem | undefined, name: string, place: PicklePlace): number[] {
  if (!Array.isArray(value)) throw place.error(`${name} must be a tuple, but is ${kindOf(value ?? null)}`);
  return value.map((item: PickleItem) => countOf(item, name, place));
}

/** A list, whose items were checked to be plain when they were appended; a tuple may hold opaque ones. */
function isList(value: PickleItem | undefined): value is readonly PlainValue[] {
  return Array.isArray(value) && !Object.isFrozen(value);
}

/** OrderedDict(), OrderedDict([(key, value), …]), Counter({…}). */
function makeDict(args: readonly PickleItem[], place: PicklePlace): PlainDict {
  const [from] = args;
  if (args.length === 0) return new PlainDict();
  if (args.length === 1 && from instanceof PlainDict) return new PlainDict(from);
  if (args.length === 1 && isList(from) && from.every((pair) => Array.isArray(pair) && pair.length === 2)) {
    return new PlainDict(from as [PlainValue, PlainValue][]);
  }
  throw place.error('a dict is made from something that is neither a dict nor a list of pairs');
}

function makeSet(args: readonly PickleItem[], place: PicklePlace): ReadonlySet<PlainValue> {
  const [from] = args;
  if (args.length === 0) return new Set();
  if (args.length === 1 && isList(from)) return new Set(from as PlainValue[]);
  throw place.error(`a set is made from ${kindOf(from ?? null)}`);
}

/** How Python 3 writes bytes in protocol 2: as text of code points up to 255. */
function encodeLatin1(args: readonly PickleItem[], place: PicklePlace): Uint8Array {
  const [text, encoding] = args;
  if (typeof text !== 'string' || encoding !== 'latin1')
    throw place.error('_codecs.encode is read for bytes as latin1 text only');
  if (/[^\0-\xff]/u.test(text)) throw place.error('bytes are written as text that is not latin1');
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

function makeSize(args: readonly PickleItem[], place: PicklePlace): readonly PlainValue[] {
  return Object.freeze(counts(args[0], 'a torch.Size', place));
}

function makeDevice(args: readonly PickleItem[], place: PicklePlace): string {
  const [type, index] = args;
  if (typeof type !== 'string') throw place.error(`a torch.device is made from ${kindOf(type ?? null)}`);
  return index === undefined || index === null
    ? type
    : `${type}:${countOf(index, 'the index of a torch.device', place)}`;
}

/** A parameter is its tensor; whether it wants gradients is the model's business. */
function sameTensor(args: readonly PickleItem[], place: PicklePlace): TensorRecord {
  const [tensor] = args;
  if (tensor instanceof PickleOpaque || tensor === undefined || !isTensorRecord(tensor)) {
    throw place.error(`a parameter is made from ${kindOf(tensor ?? null)}`);
  }
  return tensor;
}

/** `(rebuild function, class, its arguments, attributes)`: a tensor on which Python attributes were set. */
function rebuildFromType(args: readonly PickleItem[], place: PicklePlace): PickleItem {
  const [rebuild, , rebuildArgs] = args;
  const isRebuild =
    rebuild instanceof PickleGlobal && rebuild.description.startsWith('torch._utils._rebuild_');
  if (!isRebuild || !rebuild.call || !Array.isArray(rebuildArgs))
    throw place.error('a tensor with attributes is rebuilt by something unknown');
  return rebuild.call(rebuildArgs as readonly PickleItem[], place);
}
