/** Plain twins of the optimizers, one parameter at a time, written from the papers' update rules. */

/** What an update rule keeps between steps. */
export interface Rule {
  /** New values from the old ones and their gradient. */
  step(values: readonly number[], gradient: readonly number[]): number[];
}

/** The rates that the twins understand; defaults are those of the library. */
export interface Rates {
  readonly learningRate: number;
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weightDecay?: number;
  readonly momentum?: number;
  readonly nesterov?: boolean;
}

/**
 * Adam (Kingma and Ba 2015, Algorithm 1). `decoupled` takes the decay out of the gradient (Loshchilov and Hutter 2019,
 * Algorithm 2).
 */
export function adam(rates: Rates, decoupled: boolean): Rule {
  const { learningRate, betas = [0.9, 0.999], eps = 1e-8, weightDecay = decoupled ? 0.01 : 0 } = rates;
  const [beta1, beta2] = betas;
  let t = 0;
  let m: number[] = [];
  let v: number[] = [];
  return {
    step(values, gradient) {
      t += 1;
      const g = gradient.map((slope, i) => slope + (decoupled ? 0 : weightDecay * (values[i] as number)));
      m = g.map((slope, i) => beta1 * (m[i] ?? 0) + (1 - beta1) * slope);
      v = g.map((slope, i) => beta2 * (v[i] ?? 0) + (1 - beta2) * slope * slope);
      return values.map((value, i) => {
        const decayed = decoupled ? value * (1 - learningRate * weightDecay) : value;
        const mean = (m[i] as number) / (1 - beta1 ** t);
        const variance = (v[i] as number) / (1 - beta2 ** t);
        return decayed - (learningRate * mean) / (Math.sqrt(variance) + eps);
      });
    },
  };
}

/** Gradient descent with PyTorch's momentum: the buffer begins as the first gradient; no dampening. */
export function sgd(rates: Rates): Rule {
  const { learningRate, weightDecay = 0, momentum = 0, nesterov = false } = rates;
  let buffer: number[] | undefined;
  return {
    step(values, gradient) {
      const g = gradient.map((slope, i) => slope + weightDecay * (values[i] as number));
      buffer = buffer ? g.map((slope, i) => momentum * (buffer?.[i] as number) + slope) : g;
      return values.map((value, i) => {
        const moved = buffer?.[i] as number;
        return value - learningRate * (nesterov ? (g[i] as number) + momentum * moved : moved);
      });
    },
  };
}
