import type { CxrGazeError } from '../errors.js';
import { checkpointError } from './fault.js';
import { REFUSED_OPCODES } from './pickle-refused.js';
import {
  isStateful,
  kindOf,
  PickleClass,
  PickleGlobal,
  type PickleItem,
  PickleOpaque,
  type PicklePlace,
  PickleRecord,
  type PickleWorld,
  PlainDict,
  type PlainValue,
  plainInteger,
} from './pickle-values.js';

/** Longest pickle that is read. Those of real checkpoints take kilobytes: the tensors' bytes lie outside of them. */
export const MAX_PICKLE_BYTES = 64 * 2 ** 20;

/** Most opcodes that one pickle may execute: bounds memory, for an empty list is one byte there and dozens here. */
export const MAX_PICKLE_STEPS = 8_000_000;

/** Longest integer, in bytes; Python's own are longer, those of checkpoints are not. */
const MAX_LONG_BYTES = 1024;

/** Where a pickle lies, for messages. */
export interface PickleSource {
  /** Path of the file. */
  readonly file: string;
  /** Name of the pickle inside the file, such as `data.pkl`. */
  readonly part: string;
  /** Position of the pickle's first byte in the file. */
  readonly offset: number;
}

/** A finished pickle. */
export interface Unpickled {
  /** What it built. */
  readonly value: PlainValue;
  /** Position after its STOP, counted from its first byte. */
  readonly end: number;
}

/** The bytes end before the pickle does. */
export class PickleCutShort extends Error {
  /** The class's name. */
  override readonly name = 'PickleCutShort';
}

/**
 * Executes a pickle without executing anything: an allow-list of opcodes that build containers and numbers, and names
 * that the world stands in for. All else is refused with the place where it stands.
 *
 * @param bytes the pickle, possibly followed by other data
 * @param source where it lies
 * @param world what it may refer to
 * @throws PickleCutShort where `bytes` ends before STOP; `CxrGazeError` for all other faults
 */
export function unpickle(bytes: Uint8Array, source: PickleSource, world: PickleWorld): Unpickled {
  return new Machine(bytes, source, world).run();
}

/** One opcode: its name in Python's `pickle` module and what it does. */
interface Opcode {
  readonly name: string;
  readonly run: (machine: Machine) => void;
}

class Machine implements PicklePlace {
  readonly world: PickleWorld;
  readonly memo = new Map<number, PickleItem>();
  /** Position of the opcode that is being executed. */
  position = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #source: PickleSource;
  readonly #stack: PickleItem[] = [];
  /** Heights of the stack at each MARK: nothing below the last one may be popped. */
  readonly #marks: number[] = [];
  /** Tuples that hold something opaque, directly or deeper. They may be arguments, but not part of the result. */
  readonly #opaqueTuples = new WeakSet<object>();
  /** Dicts with a class among their values that have not become the attributes of a record, and the class. */
  readonly #naming = new Map<PlainDict, PickleClass>();
  #next = 0;

  constructor(bytes: Uint8Array, source: PickleSource, world: PickleWorld) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#source = source;
    this.world = world;
  }

  run(): Unpickled {
    for (let steps = 0; ; steps++) {
      if (steps === MAX_PICKLE_STEPS)
        throw this.error(`the pickle has more than ${MAX_PICKLE_STEPS} opcodes`);
      this.position = this.#next;
      const code = this.uint8();
      if (code === STOP) {
        if (this.#marks.length > 0 || this.#stack.length !== 1)
          throw this.error('the pickle ends with an unfinished stack');
        const value = this.plain(this.pop());
        // All of a record is an object's, the hooks of a module too.
        if (!(value instanceof PickleRecord))
          for (const named of this.#naming.values()) throw named.refusal();
        return { value, end: this.#next };
      }
      const opcode = OPCODES.get(code);
      if (!opcode) throw this.#unknownOpcode(code);
      opcode.run(this);
    }
  }

  error(problem: string, details?: Readonly<Record<string, unknown>>): CxrGazeError {
    return this.#errorAt(this.position, problem, details);
  }

  #errorAt(position: number, problem: string, details: Readonly<Record<string, unknown>> = {}): CxrGazeError {
    const { file, part, offset } = this.#source;
    const place = `at byte ${position} of ${part} (byte ${offset + position} of the file)`;
    return checkpointError(file, `${place}: ${problem}`, { part, position: offset + position, ...details });
  }

  #unknownOpcode(code: number): CxrGazeError {
    const text = `0x${code.toString(16).padStart(2, '0')}`;
    const name = REFUSED_OPCODES[code];
    return this.error(
      `the pickle's opcode ${name ? `${name} (${text})` : text} is not one that tensors and plain containers need`,
    );
  }

  // Reading

  #take(length: number): number {
    const at = this.#next;
    if (length > this.#bytes.length - at) throw new PickleCutShort();
    this.#next = at + length;
    return at;
  }

  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A 64-bit length. Beyond 2^53 it rounds, which makes it no less too long. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    // A copy: a view would keep the whole pickle alive.
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  text(length: number): string {
    const at = this.#take(length);
    return this.#decode(at, at + length);
  }

  line(): string {
    const at = this.#next;
    const end = this.#bytes.indexOf(0x0a, at);
    if (end < 0) throw new PickleCutShort();
    this.#next = end + 1;
    return this.#decode(at, end);
  }

  #decode(start: number, end: number): string {
    try {
      return UTF8.decode(this.#bytes.subarray(start, end));
    } catch {
      throw this.error('a string is not UTF-8');
    }
  }

  /** Little-endian two's complement of any length. */
  long(length: number): number | bigint {
    if (length > MAX_LONG_BYTES) throw this.error(`an integer of ${length} bytes`);
    const bytes = this.bytes(length);
    if (length === 0) return 0;
    const magnitude = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
    return plainInteger(BigInt.asIntN(8 * length, magnitude));
  }

  // Stack

  push(item: PickleItem): void {
    this.#stack.push(item);
  }

  pop(): PickleItem {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0))
      throw this.error('the pickle takes more from its stack than there is');
    return this.#stack.pop() as PickleItem;
  }

  top(): PickleItem {
    const item = this.pop();
    this.#stack.push(item);
    return item;
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  popToMark(): PickleItem[] {
    const height = this.#marks.pop();
    if (height === undefined) throw this.error('the pickle refers to a mark that is not there');
    return this.#stack.splice(height);
  }

  popCount(count: number): PickleItem[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  // Building

  tuple(items: PickleItem[]): void {
    const tuple = Object.freeze(items) as readonly PlainValue[];
    if (items.some((item) => !this.#isPlain(item))) this.#opaqueTuples.add(tuple);
    this.push(tuple);
  }

  #isPlain(item: PickleItem): item is PlainValue {
    return !(item instanceof PickleOpaque) && !(Array.isArray(item) && this.#opaqueTuples.has(item));
  }

  /** An item that may be part of the result. */
  plain(item: PickleItem): PlainValue {
    if (this.#isPlain(item)) return item;
    if (item instanceof PickleClass) throw item.refusal();
    const what = item instanceof PickleOpaque ? item.description : 'a tuple with a storage or class in it';
    throw this.error(`the pickle keeps ${what} as a value; only tensors and plain containers are read`);
  }

  #key(item: PickleItem): PlainValue {
    const key = this.plain(item);
    const isContainer = key !== null && typeof key === 'object' && !(key instanceof Uint8Array);
    if (isContainer && !(Array.isArray(key) && Object.isFrozen(key)))
      throw this.error(`${kindOf(key)} cannot be a key`);
    return key;
  }

  append(items: readonly PickleItem[]): void {
    const list = this.top();
    if (!Array.isArray(list) || Object.isFrozen(list))
      throw this.error(`the pickle appends to ${kindOf(list)}`);
    for (const item of items) (list as PlainValue[]).push(this.plain(item));
  }

  setItems(items: readonly PickleItem[]): void {
    const target = this.top();
    // An object of a class that is a kind of dict, such as a configuration.
    if (target instanceof PickleRecord) target.items ??= new PlainDict();
    const dict = target instanceof PickleRecord ? target.items : target;
    if (!(dict instanceof PlainDict)) throw this.error(`the pickle sets items of ${kindOf(dict)}`);
    if (items.length % 2 !== 0) throw this.error('a dict has a key without a value');
    for (let i = 0; i < items.length; i += 2) {
      dict.set(this.#key(items[i] as PickleItem), this.#member(dict, items[i + 1] as PickleItem));
    }
  }

  /**
   * A value of a dict. An object's attribute may be a class, such as the kind of normalisation that torchvision's ResNets
   * remember: its name stands for it. Whether the dict is that of an object is known only later.
   */
  #member(dict: PlainDict, value: PickleItem): PlainValue {
    if (!(value instanceof PickleClass)) return this.plain(value);
    if (!this.#naming.has(dict)) this.#naming.set(dict, value);
    return value.description;
  }

  addItems(items: readonly PickleItem[]): void {
    const set = this.top();
    if (!(set instanceof Set)) throw this.error(`the pickle adds members to ${kindOf(set)}`);
    for (const item of items) (set as Set<PlainValue>).add(this.#key(item));
  }

  /** BUILD: attributes of a dict, which is what a state dict's `_metadata` is, or of a record. */
  build(): void {
    const item = this.pop();
    const target = this.top();
    if (isStateful(target)) target.setState(item, this);
    else this.#setAttributes(target, this.plain(item));
  }

  #setAttributes(target: PickleItem, state: PlainValue): void {
    const isRecord = target instanceof PickleRecord;
    if (!isRecord && !(target instanceof PlainDict))
      throw this.error(`the pickle sets the state of ${kindOf(target)}`);
    if (!(state instanceof PlainDict)) {
      const what = isRecord ? kindOf(target) : 'a dict object';
      throw this.error(`the state of ${what} must be a dict, but is ${kindOf(state)}`);
    }
    if (!isRecord) target.attributes = new Map([...(target.attributes ?? []), ...state]);
    else if (target.attributes === undefined) {
      target.attributes = state;
      this.#naming.delete(state);
    } else throw this.error(`the pickle sets the state of ${kindOf(target)} twice`);
  }

  /** NEWOBJ: an object of an unknown class as a record that waits for its state. */
  newObject(): void {
    if (!this.world.records) throw this.#unknownOpcode(NEWOBJ);
    const [type, args] = this.popCount(2);
    if (!(type instanceof PickleClass)) throw this.error(`the pickle makes an object of ${kindOf(type)}`);
    if (!Array.isArray(args) || !Object.isFrozen(args))
      throw this.error(`the pickle makes an object of ${type.description} from ${kindOf(args ?? null)}`);
    const record = new PickleRecord(type.description);
    record.args = this.plain(args as PickleItem) as readonly PlainValue[];
    this.push(record);
  }

  // Names

  global(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string')
      throw this.error('the pickle names a global that is no string');
    const path = `${module}.${name}`;
    const found = this.world.global(path);
    this.push(found ?? this.#unknownClass(path));
  }

  #unknownClass(path: string): PickleClass {
    const { position } = this;
    const refusal = (): CxrGazeError => {
      const shown = path.length > 200 ? `${path.slice(0, 197)}...` : path;
      return this.#errorAt(
        position,
        `the pickle asks for ${JSON.stringify(shown)}; only tensors and plain containers are read, and nothing in the file is executed`,
        { global: path },
      );
    };
    if (!this.world.records) throw refusal();
    return new PickleClass(path, refusal);
  }

  reduce(): void {
    const args = this.pop();
    const callee = this.pop();
    if (callee instanceof PickleClass) throw callee.refusal();
    if (!(callee instanceof PickleGlobal) || !callee.call)
      throw this.error(`the pickle calls ${kindOf(callee)}`);
    if (!Array.isArray(args) || !Object.isFrozen(args))
      throw this.error(`${callee.description} is called with ${kindOf(args)} instead of a tuple`);
    if (!callee.takesClasses)
      for (const argument of args) if (argument instanceof PickleClass) throw argument.refusal();
    this.push(callee.call(args as readonly PickleItem[], this));
  }

  recall(index: number): void {
    const item = this.memo.get(index);
    if (item === undefined) throw this.error(`the pickle refers to memo ${index}, which is not there`);
    this.push(item);
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const STOP = 0x2e;
const NEWOBJ = 0x81;

/** The allowed opcodes: those that PyTorch's files of protocol 2 to 5 use, and Python 2's strings. */
const OPCODES: ReadonlyMap<number, Opcode> = new Map<number, Opcode>([
  [0x80, { name: 'PROTO', run: checkProtocol }],
  [0x95, { name: 'FRAME', run: (m) => void m.uint64() }],
  [0x28, { name: 'MARK', run: (m) => m.mark() }],
  [0x30, { name: 'POP', run: (m) => void m.pop() }],
  [0x31, { name: 'POP_MARK', run: (m) => void m.popToMark() }],
  [0x32, { name: 'DUP', run: (m) => m.push(m.top()) }],
  [0x4e, { name: 'NONE', run: (m) => m.push(null) }],
  [0x88, { name: 'NEWTRUE', run: (m) => m.push(true) }],
  [0x89, { name: 'NEWFALSE', run: (m) => m.push(false) }],
  [0x4a, { name: 'BININT', run: (m) => m.push(m.int32()) }],
  [0x4b, { name: 'BININT1', run: (m) => m.push(m.uint8()) }],
  [0x4d, { name: 'BININT2', run: (m) => m.push(m.uint16()) }],
  [0x8a, { name: 'LONG1', run: (m) => m.push(m.long(m.uint8())) }],
  [0x8b, { name: 'LONG4', run: (m) => m.push(m.long(m.uint32())) }],
  [0x47, { name: 'BINFLOAT', run: (m) => m.push(m.float64()) }],
  [0x58, { name: 'BINUNICODE', run: (m) => m.push(m.text(m.uint32())) }],
  [0x8c, { name: 'SHORT_BINUNICODE', run: (m) => m.push(m.text(m.uint8())) }],
  [0x8d, { name: 'BINUNICODE8', run: (m) => m.push(m.text(m.uint64())) }],
  [0x55, { name: 'SHORT_BINSTRING', run: (m) => m.push(m.text(m.uint8())) }],
  [0x54, { name: 'BINSTRING', run: (m) => m.push(m.text(m.uint32())) }],
  [0x43, { name: 'SHORT_BINBYTES', run: (m) => m.push(m.bytes(m.uint8())) }],
  [0x42, { name: 'BINBYTES', run: (m) => m.push(m.bytes(m.uint32())) }],
  [0x8e, { name: 'BINBYTES8', run: (m) => m.push(m.bytes(m.uint64())) }],
  [0x96, { name: 'BYTEARRAY8', run: (m) => m.push(m.bytes(m.uint64())) }],
  [0x29, { name: 'EMPTY_TUPLE', run: (m) => m.tuple([]) }],
  [0x85, { name: 'TUPLE1', run: (m) => m.tuple(m.popCount(1)) }],
  [0x86, { name: 'TUPLE2', run: (m) => m.tuple(m.popCount(2)) }],
  [0x87, { name: 'TUPLE3', run: (m) => m.tuple(m.popCount(3)) }],
  [0x74, { name: 'TUPLE', run: (m) => m.tuple(m.popToMark()) }],
  [0x5d, { name: 'EMPTY_LIST', run: (m) => m.push([]) }],
  [0x61, { name: 'APPEND', run: (m) => m.append(m.popCount(1)) }],
  [0x65, { name: 'APPENDS', run: (m) => m.append(m.popToMark()) }],
  [0x7d, { name: 'EMPTY_DICT', run: (m) => m.push(new PlainDict()) }],
  [0x73, { name: 'SETITEM', run: (m) => m.setItems(m.popCount(2)) }],
  [0x75, { name: 'SETITEMS', run: (m) => m.setItems(m.popToMark()) }],
  [0x8f, { name: 'EMPTY_SET', run: (m) => m.push(new Set()) }],
  [0x90, { name: 'ADDITEMS', run: (m) => m.addItems(m.popToMark()) }],
  [0x91, { name: 'FROZENSET', run: frozenSet }],
  [0x71, { name: 'BINPUT', run: (m) => void m.memo.set(m.uint8(), m.top()) }],
  [0x72, { name: 'LONG_BINPUT', run: (m) => void m.memo.set(m.uint32(), m.top()) }],
  [0x94, { name: 'MEMOIZE', run: (m) => void m.memo.set(m.memo.size, m.top()) }],
  [0x68, { name: 'BINGET', run: (m) => m.recall(m.uint8()) }],
  [0x6a, { name: 'LONG_BINGET', run: (m) => m.recall(m.uint32()) }],
  [0x63, { name: 'GLOBAL', run: (m) => m.global(m.line(), m.line()) }],
  [0x93, { name: 'STACK_GLOBAL', run: stackGlobal }],
  [0x51, { name: 'BINPERSID', run: (m) => m.push(m.world.persistent(m.pop(), m)) }],
  [0x52, { name: 'REDUCE', run: (m) => m.reduce() }],
  [0x62, { name: 'BUILD', run: (m) => m.build() }],
  [NEWOBJ, { name: 'NEWOBJ', run: (m) => m.newObject() }],
]);

function checkProtocol(m: Machine): void {
  const protocol = m.uint8();
  if (protocol > 5) throw m.error(`pickle protocol ${protocol} is not known (2 to 5 are)`);
}

function stackGlobal(m: Machine): void {
  const [module, name] = m.popCount(2);
  m.global(module, name);
}

function frozenSet(m: Machine): void {
  const items = m.popToMark();
  m.push(new Set());
  m.addItems(items);
}
