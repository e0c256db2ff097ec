/**
 * Slow twins of lib/metrics, each written from the formula and sharing nothing with it: lists, no sorting tricks, every
 * pair of images compared for AUROC. Undefined is NaN.
 */

/** Rows of probabilities with their labels. */
export interface Rows {
  readonly probabilities: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly classes: number;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** First largest column of each row. */
export function predictions({ probabilities }: Rows): number[] {
  return probabilities.map((row) => row.indexOf(Math.max(...row)));
}

/** matrix[t][p] = images of class t that were called p. */
export function confusion(rows: Rows): number[][] {
  const called = predictions(rows);
  return range(rows.classes).map((t) =>
    range(rows.classes).map((p) => rows.labels.filter((label, i) => label === t && called[i] === p).length),
  );
}

/** Share of the images of a class that were recognised. */
export function recall(rows: Rows, k: number): number {
  const called = predictions(rows);
  const of = range(rows.labels.length).filter((i) => rows.labels[i] === k);
  return of.filter((i) => called[i] === k).length / of.length;
}

/** Share of the calls of a class that were right. */
export function precision(rows: Rows, k: number): number {
  const called = predictions(rows);
  const of = range(rows.labels.length).filter((i) => called[i] === k);
  return of.filter((i) => rows.labels[i] === k).length / of.length;
}

/** 2PR / (P + R), and 0 where it is undefined. */
export function f1(rows: Rows, k: number): number {
  const p = precision(rows, k);
  const r = recall(rows, k);
  return p > 0 && r > 0 ? (2 * p * r) / (p + r) : 0;
}

/** Mean recall over classes in the truth. */
export function balancedAccuracy(rows: Rows): number {
  return mean(
    range(rows.classes)
      .map((k) => recall(rows, k))
      .filter((r) => !Number.isNaN(r)),
  );
}

/** Mean F1 over classes in the truth or among the calls. */
export function macroF1(rows: Rows): number {
  const called = predictions(rows);
  return mean(
    range(rows.classes)
      .filter((k) => rows.labels.includes(k) || called.includes(k))
      .map((k) => f1(rows, k)),
  );
}

/** Mean of each image's class's F1, which is the F1 weighted by support. */
export function weightedF1(rows: Rows): number {
  return mean(rows.labels.map((label) => f1(rows, label)));
}

/**
 * Correlation of the one-hot truth with the one-hot calls: cov(X, Y) / sqrt(cov(X, X) cov(Y, Y)) with covariances summed
 * over classes (Gorodkin 2004, the definition rather than the counting formula).
 */
export function mcc(rows: Rows): number {
  const called = predictions(rows);
  const n = rows.labels.length;
  const covariance = (a: readonly number[], b: readonly number[]): number => {
    let sum = 0;
    for (const k of range(rows.classes)) {
      const x = a.map((v) => (v === k ? 1 : 0));
      const y = b.map((v) => (v === k ? 1 : 0));
      const [mx, my] = [mean(x), mean(y)];
      sum += range(n).reduce((s, i) => s + ((x[i] as number) - mx) * ((y[i] as number) - my), 0);
    }
    return sum;
  };
  const scale = Math.sqrt(covariance(rows.labels, rows.labels) * covariance(called, called));
  return scale > 1e-12 ? covariance(rows.labels, called) / scale : 0;
}

/** Share of (positive, negative) pairs in the right order, ties one half. */
export function auroc(scores: readonly number[], positive: readonly boolean[]): number {
  let wins = 0;
  let pairs = 0;
  scores.forEach((p, i) => {
    if (!positive[i]) return;
    scores.forEach((n, j) => {
      if (positive[j]) return;
      pairs++;
      wins += p > n ? 1 : p === n ? 0.5 : 0;
    });
  });
  return wins / pairs;
}

/** AUROC of a class against the rest. */
export function classAuroc(rows: Rows, k: number): number {
  return auroc(
    rows.probabilities.map((row) => row[k] as number),
    rows.labels.map((label) => label === k),
  );
}

/** True-positive rate at a false-positive rate, by trying every threshold and interpolating between neighbours. */
export function rocTpr(scores: readonly number[], positive: readonly boolean[], fpr: number): number {
  const share = (threshold: number, side: boolean) => {
    const of = scores.filter((_, i) => positive[i] === side);
    return of.filter((s) => s >= threshold).length / of.length;
  };
  const vertices = [Number.POSITIVE_INFINITY, ...new Set(scores)]
    .sort((a, b) => b - a)
    .map((threshold) => ({ x: share(threshold, false), y: share(threshold, true) }));
  const reached = vertices.filter((v) => v.x <= fpr);
  const left = reached[reached.length - 1] as { x: number; y: number };
  const right = vertices[reached.length];
  if (right === undefined) return left.y;
  return left.y + ((right.y - left.y) * (fpr - left.x)) / (right.x - left.x);
}

/** Σ over bins of share * |accuracy - confidence|. */
export function ece(rows: Rows, bins: number): number {
  const called = predictions(rows);
  const top = rows.probabilities.map((row) => Math.max(...row));
  let sum = 0;
  for (const b of range(bins)) {
    const inside = range(top.length).filter((i) => {
      const t = (top[i] as number) * bins;
      return (t > b && t <= b + 1) || (b === 0 && t === 0);
    });
    if (inside.length === 0) continue;
    const accuracy = mean(inside.map((i) => (called[i] === rows.labels[i] ? 1 : 0)));
    const confidence = mean(inside.map((i) => top[i] as number));
    sum += (inside.length / top.length) * Math.abs(accuracy - confidence);
  }
  return sum;
}

/** Mean -ln p of the true class, p at least 2^-52. */
export function logLoss(rows: Rows): number {
  return mean(
    rows.labels.map((label, i) => -Math.log(Math.max(2 ** -52, rows.probabilities[i]?.[label] ?? 0))),
  );
}

/** The rows of a resample, each repeated as often as it was drawn. */
export function repeated(rows: Rows, weights: ArrayLike<number>): Rows {
  const pick = range(rows.labels.length).flatMap((i) => Array<number>(weights[i] as number).fill(i));
  return {
    classes: rows.classes,
    labels: pick.map((i) => rows.labels[i] as number),
    probabilities: pick.map((i) => rows.probabilities[i] as number[]),
  };
}
