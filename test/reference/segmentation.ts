/** Mean binary cross-entropy of the sigmoid, plus 1 - (2 Σ p m + s) / (Σ p + Σ m + s) over all. */
export function segmentationLoss(
  logits: readonly number[],
  masks: readonly number[],
  smooth: number,
): number {
  const probabilities = logits.map((z) => 1 / (1 + Math.exp(-z)));
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const crossEntropy = sum(
    probabilities.map((p, i) => {
      const m = masks[i] as number;
      return -m * Math.log(p) - (1 - m) * Math.log(1 - p);
    }),
  );
  const both = sum(probabilities.map((p, i) => p * (masks[i] as number)));
  const overlap = (2 * both + smooth) / (sum(probabilities) + sum(masks) + smooth);
  return crossEntropy / logits.length + 1 - overlap;
}

/** Dice coefficient and intersection over union of two masks; 1 where both are empty. */
export function overlap(a: readonly boolean[], b: readonly boolean[]): { dice: number; iou: number } {
  const count = (values: readonly boolean[]): number => values.filter(Boolean).length;
  const both = count(a.map((one, i) => one && (b[i] as boolean)));
  const [sizes, union] = [count(a) + count(b), count(a) + count(b) - both];
  return union === 0 ? { dice: 1, iou: 1 } : { dice: (2 * both) / sizes, iou: both / union };
}
