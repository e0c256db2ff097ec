import {
  arange,
  cat,
  full,
  gradients,
  rand,
  randn,
  stack,
  tensor,
  threads,
  zeros,
} from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { ARGUMENT, DEVICE, DISPOSED, DTYPE, gone, nan, type Row, SHAPE, wrong, x } from './cells.js';

/** Misuse of the functions beside Tensor. */
export const makerRows: Row[] = [
  [
    'tensor',
    {
      type: [
        [ARGUMENT, () => tensor(wrong('x'))],
        [ARGUMENT, () => tensor(wrong(null))],
        [ARGUMENT, () => tensor(wrong(new Uint16Array(2)))],
        [ARGUMENT, () => tensor([1], wrong(1))],
        [ARGUMENT, () => tensor([1], [1.5])],
        [ARGUMENT, () => tensor([1], [1], wrong(null))],
        [ARGUMENT, () => tensor([1], [1], { type: 'int8' } as never)],
        [ARGUMENT, () => tensor([1], [1], { requiresGrad: wrong('yes') })],
      ],
      shape: [
        [SHAPE, () => tensor([1, 2], [3])],
        [ARGUMENT, () => tensor([1, 2], [-2])],
        [ARGUMENT, () => tensor([[1], [2, 3]])],
      ],
      dtype: [
        [ARGUMENT, () => tensor([1], [1], { dtype: wrong('double') })],
        [DTYPE, () => tensor([1], [1], { dtype: 'int32', requiresGrad: true })],
      ],
      device: [DEVICE, () => tensor([1], [1], { device: 'tpu' })],
      NaN: [ARGUMENT, () => tensor([1], [nan])],
    },
  ],
  ...(
    [
      ['zeros', (shape: readonly number[], options?: object) => zeros(shape, options)],
      ['full', (shape: readonly number[], options?: object) => full(shape, 1, options)],
      ['rand', (shape: readonly number[], options?: object) => rand(shape, 1, options)],
      ['randn', (shape: readonly number[], options?: object) => randn(shape, 1, options)],
    ] as const
  ).map(
    ([name, make]): Row => [
      name,
      {
        type: [
          [ARGUMENT, () => make(wrong(5))],
          [ARGUMENT, () => make([1.5])],
          [ARGUMENT, () => make([1], { size: 1 })],
        ],
        shape: [ARGUMENT, () => make([-1])],
        dtype: [ARGUMENT, () => make([1], { dtype: 'double' })],
        device: [DEVICE, () => make([1], { device: 'cuda:99' })],
        NaN: [ARGUMENT, () => make([nan])],
      },
    ],
  ),
  ['full', { type: [ARGUMENT, () => full([1], wrong('1'))] }],
  [
    'randn',
    {
      type: [ARGUMENT, () => randn([1], wrong(undefined))],
      dtype: [DTYPE, () => randn([1], 1, { dtype: 'int32' })],
    },
  ],
  ['rand', { NaN: [ARGUMENT, () => rand([1], nan)] }],
  [
    'arange',
    {
      type: [
        [ARGUMENT, () => arange(wrong('5'))],
        [ARGUMENT, () => arange(5, { by: 2 } as never)],
        [ARGUMENT, () => arange(5, { step: 0 })],
        [ARGUMENT, () => arange(5, { step: -1 })],
      ],
      dtype: [ARGUMENT, () => arange(5, { dtype: wrong('long') })],
      NaN: [ARGUMENT, () => arange(nan)],
    },
  ],
  ...(
    [
      ['cat', cat],
      ['stack', stack],
    ] as const
  ).map(
    ([name, join]): Row => [
      name,
      {
        disposed: [DISPOSED, () => join([x(), gone()])],
        type: [
          [ARGUMENT, () => join(wrong(x()))],
          [ARGUMENT, () => join([x(), wrong(1)])],
          [ARGUMENT, () => join([x(), wrong(null)])],
          [ARGUMENT, () => join([x()], wrong('0'))],
        ],
        shape: [
          [SHAPE, () => join([x(), randn([3, 4], 1)])],
          [SHAPE, () => join([x(), x()], 3)],
        ],
        NaN: [ARGUMENT, () => join([x()], nan)],
        empty: [ARGUMENT, () => join([])],
      },
    ],
  ),
  [
    'gradients',
    {
      disposed: [DISPOSED, () => gradients(gone(), [x()])],
      type: [
        [ARGUMENT, () => gradients(wrong(1), [x()])],
        [ARGUMENT, () => gradients(x(), wrong(x()))],
        [ARGUMENT, () => gradients(x(), [x()], { unused: true } as never)],
        [ARGUMENT, () => gradients(x().sum(), [x()])[0]],
      ],
      shape: [
        SHAPE,
        () =>
          tidy(() => {
            const leaf = x().requiresGrad_();
            return gradients(leaf.mul(2), [leaf])[0];
          }),
      ],
      empty: [ARGUMENT, () => gradients(x(), [])],
    },
  ],
  [
    'threads',
    {
      type: [ARGUMENT, () => threads(wrong('2'))],
      NaN: [ARGUMENT, () => threads(nan)],
      empty: [ARGUMENT, () => threads(0)],
    },
  ],
];
