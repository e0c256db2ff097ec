import {
  kindOf,
  PickleGlobal,
  type PickleItem,
  PickleOpaque,
  type PicklePlace,
  PickleRecord,
  type PickleStateful,
  plainInteger,
} from './pickle-values.js';

/**
 * What checkpoints commonly hold beside tensors: scalars and arrays of NumPy (best scores, random states), paths, partial
 * functions. A scalar becomes a number, a path its text, the rest inert records. Nothing is imported or called.
 *
 * @returns the stand-ins by module and name
 */
export function pythonObjects(): ReadonlyMap<string, PickleGlobal> {
  const table = new Map<string, PickleGlobal>();
  const add = (paths: readonly string[], call?: PickleGlobal['call'], takesClasses = false): void => {
    for (const path of paths) table.set(path, new PickleGlobal(path, call, takesClasses));
  };
  // NumPy 2 renamed its private modules.
  const numpy = (name: string): string[] => [`numpy.core.${name}`, `numpy._core.${name}`];
  add(['numpy.ndarray']);
  add(['numpy.dtype'], (args, place) => new NumpyType(args[0], place));
  add(numpy('multiarray.scalar'), numpyScalar);
  add(numpy('multiarray._reconstruct'), () => new StatedRecord('numpy.ndarray'));
  add(numpy('numeric._frombuffer'), () => new PickleRecord('numpy.ndarray'));
  for (const name of ['PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath'])
    add([`pathlib.${name}`, `pathlib._local.${name}`], pathText);
  add(['functools.partial'], () => new StatedRecord('functools.partial'), true);
  return table;
}

/** A record whose state is no dict, and of no use here. */
class StatedRecord extends PickleRecord implements PickleStateful {
  setState(): void {}
}

/** A `numpy.dtype`: its kind and size from the constructor's text, such as `f8`, its byte order from the state that follows. */
class NumpyType extends PickleOpaque implements PickleStateful {
  readonly code: string;
  littleEndian = true;

  constructor(code: PickleItem | undefined, place: PicklePlace) {
    super('a numpy.dtype');
    if (typeof code !== 'string') throw place.error(`a numpy.dtype is made from ${kindOf(code ?? null)}`);
    this.code = code;
  }

  setState(state: PickleItem, place: PicklePlace): void {
    if (!Array.isArray(state) || typeof state[1] !== 'string')
      throw place.error(`the state of a numpy.dtype is ${kindOf(state)}`);
    this.littleEndian = state[1] !== '>';
  }
}

type Reader = (view: DataView, littleEndian: boolean) => number | bigint | boolean;

const READERS: Readonly<Record<string, Reader>> = {
  b1: (view) => view.getUint8(0) !== 0,
  i1: (view) => view.getInt8(0),
  u1: (view) => view.getUint8(0),
  i2: (view, little) => view.getInt16(0, little),
  u2: (view, little) => view.getUint16(0, little),
  i4: (view, little) => view.getInt32(0, little),
  u4: (view, little) => view.getUint32(0, little),
  i8: (view, little) => plainInteger(view.getBigInt64(0, little)),
  u8: (view, little) => plainInteger(view.getBigUint64(0, little)),
  f4: (view, little) => view.getFloat32(0, little),
  f8: (view, little) => view.getFloat64(0, little),
};

/** `(dtype, bytes)`; a scalar of another type than these is kept as a record without its value. */
function numpyScalar(args: readonly PickleItem[], place: PicklePlace): PickleItem {
  const [type, bytes] = args;
  if (!(type instanceof NumpyType))
    throw place.error(`a NumPy scalar is made with ${kindOf(type ?? null)} for its dtype`);
  const read = READERS[type.code];
  if (!read) return new PickleRecord(`numpy scalar ${type.code}`);
  const size = Number(type.code.slice(1));
  if (!(bytes instanceof Uint8Array) || bytes.byteLength !== size)
    throw place.error(`a NumPy scalar of dtype ${type.code} needs ${size} bytes`);
  return read(new DataView(bytes.buffer, bytes.byteOffset, size), type.littleEndian);
}

function pathText(args: readonly PickleItem[], place: PicklePlace): string {
  const stranger = args.find((part) => typeof part !== 'string');
  if (stranger !== undefined) throw place.error(`a path is made from ${kindOf(stranger)}`);
  return args.join('/').replace(/^\/\//, '/');
}
