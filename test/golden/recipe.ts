import { boolean, number, numbers, record, string } from './case.js';
import { size, uniform } from './fill.js';

/** Numbers with a shape, row-major. */
export interface Filled {
  readonly shape: readonly number[];
  /** Float32 by default, Float64 by the recipe `double`, Int32 for labels, Uint8 for bytes. */
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array;
  /** To be added at each row's label, by {@link addedAtLabels}: labels are another input. */
  readonly addAtLabel?: number;
}

const affineKeys = ['scale', 'offset', 'double', 'zero_first'];
const labelKeys = ['classes', 'power', 'first_labels_in_order'];
const known = new Set([
  ...['fill', 'shape', 'transform', 'bytes', 'above', 'literal', 'add_at_label'],
  ...affineKeys,
  ...labelKeys,
]);

/** Makes the input that a recipe describes: numbers with a shape, whatever stands under `literal`, a file's bytes. */
export function makeInput(name: string, recipe: unknown): unknown {
  if (typeof recipe !== 'object' || recipe === null || Array.isArray(recipe)) return recipe;
  const items = record(`inputs.${name}`, recipe);
  if (typeof items.base64 === 'string' && Object.keys(items).length === 1)
    return Uint8Array.from(Buffer.from(items.base64, 'base64'));
  for (const key of Object.keys(items)) {
    if (!known.has(key)) throw new Error(`unknown recipe inputs.${name}.${key}`);
  }
  if ('literal' in items) {
    if (Object.keys(items).length > 1) throw new Error(`inputs.${name} has a literal and a recipe`);
    return items.literal;
  }
  return makeFilled(items);
}

function makeFilled(items: Record<string, unknown>): Filled {
  const shape = numbers('shape', items.shape);
  const u = uniform(string('fill', items.fill), size(shape));
  const uses = (keys: string[]): boolean => keys.some((key) => key in items);
  if ('bytes' in items) {
    if (uses([...affineKeys, ...labelKeys])) throw new Error('bytes stand alone');
    if (!boolean('bytes', items.bytes)) throw new Error('bytes is false');
    return { shape, data: Uint8Array.from(u, (v) => Math.floor((v + 1) * 128)) };
  }
  if ('above' in items) {
    if (uses([...affineKeys, ...labelKeys])) throw new Error('above stands alone');
    const above = number('above', items.above);
    return { shape, data: Float32Array.from(u, (v) => (v > above ? 1 : 0)) };
  }
  if (uses(labelKeys)) {
    if (uses(affineKeys)) throw new Error('labels take no scale, offset, double or zero_first');
    return { shape, data: labels(u, items) };
  }
  const data = affine(u, shape, items);
  return 'add_at_label' in items
    ? { shape, data, addAtLabel: number('add_at_label', items.add_at_label) }
    : { shape, data };
}

/** Logits `[N, C]` with what their recipe adds at each row's label, in float32. */
export function addedAtLabels({ shape, data, addAtLabel = 0 }: Filled, labels: Filled): Float32Array {
  const logits = Float32Array.from(data);
  const classes = shape[1] as number;
  for (const [row, label] of labels.data.entries()) {
    const at = row * classes + label;
    logits[at] = (logits[at] as number) + Math.fround(addAtLabel);
  }
  return logits;
}

function labels(u: Float64Array, items: Record<string, unknown>): Int32Array {
  const classes = number('classes', items.classes);
  const power = number('power', items.power ?? 1);
  const inOrder = boolean('first_labels_in_order', items.first_labels_in_order ?? false);
  return Int32Array.from(u, (v, i) => {
    if (inOrder && i < classes) return i;
    return Math.min(classes - 1, Math.floor(((v + 1) / 2) ** power * classes));
  });
}

function affine(
  u: Float64Array,
  shape: readonly number[],
  items: Record<string, unknown>,
): Float32Array | Float64Array {
  const double = boolean('double', items.double ?? false);
  const round = double ? (v: number): number => v : Math.fround;
  const scale = number('scale', items.scale ?? 1);
  const offset = number('offset', items.offset ?? 0);
  const value = (v: number): number => round(round(round(v) * round(scale)) + round(offset));
  const data = double ? Float64Array.from(u, value) : Float32Array.from(u, value);
  if (boolean('zero_first', items.zero_first ?? false)) data.fill(0, 0, data.length / (shape[0] as number));
  return data;
}

/** An input that must be numbers with a shape: made by a recipe, or a literal list (of lists) of numbers. */
export function filled(name: string, value: unknown, kind: 'float' | 'label' = 'float'): Filled {
  if (Array.isArray(value)) return literal(name, value, kind);
  const candidate = value as Partial<Filled> | null | undefined;
  if (ArrayBuffer.isView(candidate?.data) && Array.isArray(candidate?.shape)) return candidate as Filled;
  throw new Error(`inputs.${name} is not numbers with a shape`);
}

function literal(name: string, value: unknown[], kind: 'float' | 'label'): Filled {
  const shape: number[] = [];
  for (let level: unknown = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const values = numbers(`inputs.${name}`, value.flat(shape.length));
  if (values.length !== size(shape)) throw new Error(`inputs.${name} has rows of different lengths`);
  return { shape, data: kind === 'label' ? Int32Array.from(values) : Float32Array.from(values) };
}
