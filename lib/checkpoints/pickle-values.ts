import type { TensorRecord } from './tensor-record.js';

/**
 * What a `.pt` file may hold: tensors, plain containers, and objects of unknown classes as inert {@link PickleRecord}s. A Python
 * tuple is a frozen array, a list an array that is not frozen, a dict of any kind a {@link PlainDict}, bytes a
 * `Uint8Array`; an integer beyond 2^53 is a bigint; a `torch.dtype` is its name (`'torch.float32'`) and a `torch.device`
 * its text; a class that is an object's attribute is its name. Containers may be shared, and even contain themselves, as in
 * Python.
 */
export type PlainValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PlainValue[]
  | PlainDict
  | ReadonlySet<PlainValue>
  | TensorRecord
  | PickleRecord;

/** A Python dict, OrderedDict, defaultdict or Counter: a Map in insertion order. */
export class PlainDict extends Map<PlainValue, PlainValue> {
  /** Attributes set on the dict object itself, such as a state dict's `_metadata`; absent without any. */
  attributes?: ReadonlyMap<PlainValue, PlainValue>;
}

/**
 * An object of a class that is not known here, such as a module that was pickled whole, or a configuration: the class's name
 * and what the pickle puts into the object. Nothing is imported or called for it.
 */
export class PickleRecord {
  /** Module and name of the class, such as `torchvision.models.vgg.VGG`. */
  readonly className: string;
  /** The object's attributes; `undefined` until the pickle has set them. */
  attributes: PlainDict | undefined;
  /** Arguments that it was made from, such as the members of a named tuple. */
  args: readonly PlainValue[] = [];
  /** Items of an object whose class is a kind of dict; `undefined` without any. */
  items: PlainDict | undefined;

  /** @param className module and name of the class */
  constructor(className: string) {
    this.className = className;
  }
}

/** Whether a value of the structure is a tensor. */
export function isTensorRecord(value: PlainValue): value is TensorRecord {
  return kindOf(value) === 'a tensor';
}

/** An integer as a number, where a double holds it exactly. */
export function plainInteger(value: bigint): number | bigint {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

/** What a value is, in Python's words, for messages. */
export function kindOf(value: unknown): string {
  if (value === null) return 'None';
  if (value instanceof PlainDict) return 'a dict';
  if (value instanceof Set) return 'a set';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof PickleRecord) return `an object of ${value.className}`;
  if (value instanceof PickleOpaque) return value.description;
  if (Array.isArray(value)) return Object.isFrozen(value) ? 'a tuple' : 'a list';
  if (typeof value === 'object') return 'a tensor';
  if (typeof value === 'string') return 'a string';
  if (typeof value === 'boolean') return 'a bool';
  return Number.isInteger(value) || typeof value === 'bigint' ? 'an int' : 'a float';
}

/**
 * Something that may be on the pickle's stack and in argument tuples but not in the result: a storage, a function, a
 * class.
 */
export class PickleOpaque {
  /** What it is, for messages, such as `the class torch.FloatStorage`. */
  readonly description: string;

  /** @param description what it is, for messages */
  constructor(description: string) {
    this.description = description;
  }
}

/** Anything on the stack of the unpickler. */
export type PickleItem = PlainValue | PickleOpaque;

/** Where in the pickle a global or a call stands; makes the error that names the place. */
export interface PicklePlace {
  /** Position of the opcode, counted from the pickle's first byte. */
  readonly position: number;
  /** An `ERR_CHECKPOINT` that names file and position. */
  error(problem: string, details?: Readonly<Record<string, unknown>>): Error;
}

/** A name that the pickle may mention. It is never Python's function or class, only our stand-in. */
export class PickleGlobal extends PickleOpaque {
  /** What calling it with REDUCE gives; absent for a mere name. */
  readonly call?: (args: readonly PickleItem[], place: PicklePlace) => PickleItem;
  /** Whether names that the world does not know may be among the arguments. */
  readonly takesClasses: boolean;

  /**
   * @param path module and name, such as `collections.OrderedDict`
   * @param call what REDUCE gives, if it may be called
   * @param takesClasses whether unknown names may be among the arguments
   */
  constructor(
    path: string,
    call?: (args: readonly PickleItem[], place: PicklePlace) => PickleItem,
    takesClasses = false,
  ) {
    super(path);
    if (call) this.call = call;
    this.takesClasses = takesClasses;
  }
}

/** A stand-in that takes its state, as BUILD gives it, itself. */
export interface PickleStateful {
  /** Takes the state, which may be anything. */
  setState(state: PickleItem, place: PicklePlace): void;
}

/** Whether an item is one that takes its state itself. */
export function isStateful(item: PickleItem): item is PickleItem & PickleStateful {
  return (
    (item instanceof PickleOpaque || item instanceof PickleRecord) &&
    typeof (item as Partial<PickleStateful>).setState === 'function'
  );
}

/**
 * A name that the world does not know: taken for the class of an inert record, or for what an attribute of one names, and
 * refused wherever else it is used.
 */
export class PickleClass extends PickleOpaque {
  /** The error that names it and where the pickle asks for it. */
  readonly refusal: () => Error;

  /**
   * @param path module and name
   * @param refusal the error for any other use than that of a record's class
   */
  constructor(path: string, refusal: () => Error) {
    super(path);
    this.refusal = refusal;
  }
}

/**
 * The world that a pickle may refer to. The unpickler itself knows containers and numbers only; a world decides which
 * globals exist.
 */
export interface PickleWorld {
  /** Whether names that it does not know may be the classes of inert records; default `false`: they are refused. */
  readonly records?: boolean;
  /** The stand-in for a global, a plain value for a constant, or `undefined` if the name is not allowed. */
  global(path: string): PickleItem | undefined;
  /** What a persistent id stands for: in PyTorch's files a storage. */
  persistent(id: PickleItem, place: PicklePlace): PickleItem;
}
