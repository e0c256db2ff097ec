import ndarray, { type NdArray } from 'ndarray';

/** Arrays of the plain-JS twins: double precision, nothing of the library under test. */
export type Doubles = NdArray<Float64Array>;

/** Row-major doubles of a shape; zeros by default. */
export function doubles(shape: readonly number[], values?: ArrayLike<number>): Doubles {
  const size = shape.reduce((product, length) => product * length, 1);
  if (values !== undefined && values.length !== size) {
    throw new RangeError(
      `expected ${size} values of shape [${shape.join(', ')}] but received ${values.length}`,
    );
  }
  return ndarray(values === undefined ? new Float64Array(size) : Float64Array.from(values), [...shape]);
}

/** The values of an array in row-major order, whatever its strides. */
export function flat(array: NdArray): number[] {
  const values: number[] = [];
  const index = array.shape.map(() => 0);
  const visit = (axis: number): void => {
    if (axis === array.dimension) {
      values.push(Number(array.get(...index)));
      return;
    }
    for (let i = 0; i < (array.shape[axis] as number); i++) {
      index[axis] = i;
      visit(axis + 1);
    }
  };
  visit(0);
  return values;
}

/** A dimension of an array. */
export function length(array: NdArray, axis: number): number {
  return array.shape[axis] as number;
}

/** log softmax of row `i` of [B, C]. */
export function logSoftmaxRow(x: NdArray, i: number): number[] {
  const row = Array.from({ length: length(x, 1) }, (_, j) => Number(x.get(i, j)));
  const top = Math.max(...row);
  const logSum = top + Math.log(row.reduce((sum, value) => sum + Math.exp(value - top), 0));
  return row.map((value) => value - logSum);
}
