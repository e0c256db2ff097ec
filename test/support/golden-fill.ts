/** Twin of the golden cases' generator (`fill.py`): every side makes the same inputs from their names. */

/** FNV-1a, 32 bit, of the UTF-8 bytes of a name. */
export function fnv1a(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** `n` numbers in [-1, 1) in double precision, fixed by the name. */
export function uniform(name: string, n: number): Float64Array {
  const seed = fnv1a(name);
  return Float64Array.from({ length: n }, (_, i) => {
    let x = (seed + Math.imul(i, 0x9e3779b9)) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0;
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
    x = (x ^ (x >>> 16)) >>> 0;
    return x / 2 ** 31 - 1;
  });
}

/** An input of a golden case: how to make it, or the thing itself. */
export interface InputRecipe {
  readonly fill?: string;
  readonly shape?: readonly number[];
  readonly literal?: unknown;
  readonly scale?: number;
  readonly offset?: number;
  readonly double?: boolean;
  readonly classes?: number;
  readonly power?: number;
  readonly bytes?: boolean;
  readonly zero_first?: boolean;
  readonly first_labels_in_order?: boolean;
  readonly transform?: string;
}

const recipeKeys: readonly string[] = [
  ...['fill', 'shape', 'literal', 'scale', 'offset', 'double', 'classes', 'power', 'bytes', 'zero_first'],
  ...['first_labels_in_order', 'transform'],
];

/** The name and number of elements of a filled input; refuses recipes that nobody has heard of. */
function filled(recipe: InputRecipe): { u: Float64Array; shape: readonly number[] } {
  for (const key of Object.keys(recipe)) {
    if (!recipeKeys.includes(key)) throw new Error(`unknown input recipe '${key}'`);
  }
  if (recipe.fill === undefined || recipe.shape === undefined)
    throw new Error('an input without fill and shape');
  return {
    u: uniform(
      recipe.fill,
      recipe.shape.reduce((a, b) => a * b, 1),
    ),
    shape: recipe.shape,
  };
}

/** Real numbers: u, or u * scale + offset with each step rounded to float32 (not at all with `double`). */
export function fillNumbers(recipe: InputRecipe): { values: Float64Array; shape: readonly number[] } {
  const { u, shape } = filled(recipe);
  const round = recipe.double === true ? (x: number) => x : Math.fround;
  const values = u.map((x) => {
    let y = round(x);
    if (recipe.scale !== undefined) y = round(y * round(recipe.scale));
    if (recipe.offset !== undefined) y = round(y + round(recipe.offset));
    return y;
  });
  if (recipe.zero_first === true) values.fill(0, 0, values.length / (shape[0] as number));
  return { values, shape };
}

/** Class labels: min(classes - 1, floor(((u + 1) / 2)^power * classes)). */
export function fillLabels(recipe: InputRecipe): Int32Array {
  const { u } = filled(recipe);
  const classes = recipe.classes ?? 0;
  const labels = Int32Array.from(u, (x) =>
    Math.min(classes - 1, Math.floor(((x + 1) / 2) ** (recipe.power ?? 1) * classes)),
  );
  if (recipe.first_labels_in_order === true) {
    for (let i = 0; i < Math.min(classes, labels.length); i++) labels[i] = i;
  }
  return labels;
}

/** Bytes: floor((u + 1) * 128). */
export function fillBytes(recipe: InputRecipe): Uint8Array {
  return Uint8Array.from(filled(recipe).u, (x) => Math.floor((x + 1) * 128));
}
