import { randn, zeros } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { createOptimizer, type Optimizer } from '../../lib/training/optimizer.js';
import { ARGUMENT, type Cell, DISPOSED, DTYPE, gone, ints, nan, type Row, STATE, wrong, x } from './cells.js';

const leaf = (): Map<string, Tensor> => new Map([['w', randn([2], 1, { requiresGrad: true })]]);
const adam = (): Optimizer => createOptimizer(leaf(), { kind: 'adam' });
const goneOptimizer = (): Optimizer => {
  const optimizer = adam();
  optimizer.dispose();
  return optimizer;
};
const entry = (change: object): never =>
  [{ parameter: 'w', name: 'exp_avg', tensor: zeros([2]), ...change }] as never;

/** Misuse of every method of Optimizer. */
export const optimizerRows: Row[] = [
  [
    'createOptimizer',
    {
      disposed: [DISPOSED, () => createOptimizer(new Map([['w', gone()]]), { kind: 'adam' })],
      type: [
        [ARGUMENT, () => createOptimizer(wrong(undefined), { kind: 'adam' })],
        [ARGUMENT, () => createOptimizer(wrong([x()]), { kind: 'adam' })],
        [ARGUMENT, () => createOptimizer(leaf(), wrong(undefined))],
        [ARGUMENT, () => createOptimizer(leaf(), { kind: 'adam', lr: 1 } as never)],
        [
          ARGUMENT,
          () => createOptimizer(new Map([['w', leaf().get('w')?.mul(2) as Tensor]]), { kind: 'adam' }).step(),
        ],
      ],
      dtype: [DTYPE, () => createOptimizer(new Map([['w', ints()]]), { kind: 'adam' }).step()],
      NaN: (['learningRate', 'eps', 'weightDecay', 'momentum'] as const).map(
        (name): Cell => [ARGUMENT, () => createOptimizer(leaf(), { kind: 'sgd', [name]: nan })],
      ),
      empty: [ARGUMENT, () => createOptimizer(leaf(), wrong({}))],
    },
  ],
  ...(['step', 'zeroGrad', 'gradientNorm', 'state'] as const).map(
    (name): Row => [name, { disposed: [DISPOSED, () => goneOptimizer()[name]()] }],
  ),
  [
    'learningRate',
    {
      disposed: [DISPOSED, () => Object.assign(goneOptimizer(), { learningRate: 1 })],
      type: [ARGUMENT, () => Object.assign(adam(), { learningRate: '1' })],
      NaN: [ARGUMENT, () => Object.assign(adam(), { learningRate: nan })],
    },
  ],
  [
    'clipGradients',
    {
      disposed: [DISPOSED, () => goneOptimizer().clipGradients(1)],
      type: [
        [ARGUMENT, () => adam().clipGradients(wrong('1'))],
        [ARGUMENT, () => adam().clipGradients(0)],
      ],
      NaN: [ARGUMENT, () => adam().clipGradients(nan)],
    },
  ],
  [
    'loadState',
    {
      disposed: [
        [DISPOSED, () => goneOptimizer().loadState([])],
        [DISPOSED, () => adam().loadState(entry({ tensor: gone() }))],
      ],
      type: [
        [ARGUMENT, () => adam().loadState(wrong({}))],
        [ARGUMENT, () => adam().loadState(entry({ tensor: 1 }))],
        [ARGUMENT, () => adam().loadState(wrong([null]))],
        [STATE, () => adam().loadState(entry({ name: 'velocity' }))],
        [STATE, () => adam().loadState(entry({ parameter: 'v' }))],
      ],
      shape: [STATE, () => adam().loadState(entry({ tensor: zeros([3]) }))],
    },
  ],
];
