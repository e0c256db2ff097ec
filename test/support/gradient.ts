/** Central differences of a function of a flat vector, `f(x + h e_i) - f(x - h e_i)) / 2h`. */
export function numericGradient(
  f: (values: Float64Array) => number,
  at: ArrayLike<number>,
  step = 1e-6,
): Float64Array {
  const x = Float64Array.from(at);
  return Float64Array.from(x, (value, i) => {
    x[i] = value + step;
    const above = f(x);
    x[i] = value - step;
    const below = f(x);
    x[i] = value;
    return (above - below) / (2 * step);
  });
}

/** The largest |a - b| / (1 + |b|). */
export function worstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new RangeError(`${a.length} values against ${b.length}`);
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] as number) - (b[i] as number)) / (1 + Math.abs(b[i] as number));
    // NaN must fail a comparison, not slip through Math.max.
    if (!(difference <= worst)) worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return worst;
}
