/** Plain twin of the native heat maps: a histogram and a separable filter, step by step, in double precision. */

/** Points in pixels of the map. */
export interface ReferencePoints {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly weight: readonly number[];
}

/** One bin a pixel, rows are y; points outside are dropped, the far edges belong to the last bins. */
export function histogram(points: ReferencePoints, height: number, width: number): number[][] {
  const bins = Array.from({ length: height }, () => new Array<number>(width).fill(0));
  for (const [i, x] of points.x.entries()) {
    const y = points.y[i] as number;
    if (!(x >= 0 && x <= width && y >= 0 && y <= height)) continue;
    const row = bins[Math.min(height - 1, Math.floor(y))] as number[];
    const column = Math.min(width - 1, Math.floor(x));
    row[column] = (row[column] as number) + (points.weight[i] as number);
  }
  return bins;
}

/** Where a position beyond the ends of a line lies on it: d c b a | a b c d | d c b a. */
function reflected(position: number, length: number): number {
  const period = 2 * length;
  const within = ((position % period) + period) % period;
  return within < length ? within : period - 1 - within;
}

function filterLine(line: readonly number[], sigma: number): number[] {
  const radius = Math.floor(4 * sigma + 0.5);
  const kernel = Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-0.5 * ((i - radius) / sigma) ** 2),
  );
  const sum = kernel.reduce((total, value) => total + value, 0);
  return line.map((_, at) =>
    kernel.reduce(
      (total, weight, i) =>
        total + (weight / sum) * (line[reflected(at + i - radius, line.length)] as number),
      0,
    ),
  );
}

function transposed(rows: readonly (readonly number[])[]): number[][] {
  return (rows[0] as number[]).map((_, column) => rows.map((row) => row[column] as number));
}

/** SciPy's `gaussian_filter` with its defaults; σ by axis, down and across. */
export function gaussianFilter(
  image: readonly (readonly number[])[],
  sigmaRows: number,
  sigmaColumns: number,
): number[][] {
  const down = transposed(transposed(image).map((line) => filterLine(line, sigmaRows)));
  return down.map((line) => filterLine(line, sigmaColumns));
}
