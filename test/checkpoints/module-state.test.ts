import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { openTensorFile, type TensorFile } from '../../lib/checkpoints/open.js';
import type { PickleRecord } from '../../lib/checkpoints/pickle-values.js';
import { failure } from '../support/outcome.js';
import * as p from '../support/pickle-bytes.js';
import { zip } from '../support/zip-bytes.js';

const folder = t.testdir({});
const bytes = (...parts: Buffer[]): Buffer => Buffer.concat(parts);
const newObject = Buffer.of(0x81);
const number = p.tensor(p.storage('FloatStorage', '0', p.int(2)), p.int(0), [p.int(2)], [p.int(1)]);

/** A dict literal. */
const dict = (...entries: [string, Buffer][]): Buffer =>
  bytes(p.emptyDict, p.mark, ...entries.flatMap(([key, value]) => [p.text(key), value]), p.setItems);

/** `class()` with the given attributes. */
const object = (name: string, state: Buffer): Buffer =>
  bytes(p.global('some.package', name), p.emptyTuple, newObject, state, p.build);

interface Members {
  readonly parameters?: Buffer;
  readonly buffers?: Buffer;
  readonly modules?: Buffer;
  readonly more?: [string, Buffer][];
}

/** A module as `torch.save` pickles it. */
const module_ = (name: string, { parameters, buffers, modules, more = [] }: Members): Buffer =>
  object(
    name,
    dict(
      ['training', p.yes],
      ['_parameters', parameters ?? p.emptyDict],
      ['_buffers', buffers ?? p.emptyDict],
      ['_modules', modules ?? p.emptyDict],
      ...more,
    ),
  );

let files = 0;
/** Opens a file whose structure is what the bytes build. */
function open(...root: Buffer[]): Promise<TensorFile> {
  const file = path.join(folder, `${files++}.pt`);
  writeFileSync(
    file,
    zip([
      { name: 'x/data.pkl', data: p.pickle(...root) },
      { name: 'x/byteorder', data: 'little' },
      { name: 'x/data/0', data: Buffer.from(Float32Array.of(1, 2).buffer) },
      { name: 'x/version', data: '3\n' },
    ]),
  );
  return openTensorFile(file);
}

t.test('parameters, buffers, children: in the order of a state dict', async (t) => {
  const passing = bytes(
    p.global('__builtin__', 'set'),
    p.tuple(bytes(p.emptyList, p.text('passing'), p.append)),
    p.reduce,
  );
  const ordered = bytes(p.global('collections', 'OrderedDict'), p.emptyTuple, p.reduce);
  const child = module_('Child', { parameters: dict(['weight', number], ['bias', p.none]) });
  const { tensors, moduleClass, format } = await open(
    module_('Net', {
      modules: dict(['a', child], ['none', p.none], ['b', module_('Empty', {})]),
      buffers: dict(['mean', number], ['passing', number], ['gone', p.none]),
      parameters: bytes(ordered, p.text('scale'), number, p.setItem),
      more: [['_non_persistent_buffers_set', passing]],
    }),
  );
  t.strictSame([...tensors.keys()], ['scale', 'mean', 'a.weight']);
  t.strictSame([moduleClass, format], ['some.package.Net', 'torch-zip']);
});

t.test('a module under a usual key, and one that is reached by two names', async (t) => {
  const { tensors, moduleClass } = await open(
    dict(
      ['epoch', p.int(3)],
      [
        'model',
        module_('Net', {
          modules: dict(
            ['a', bytes(module_('Child', { parameters: dict(['weight', number]) }), p.put(7))],
            ['again', p.get(7)],
          ),
        }),
      ],
    ),
  );
  t.strictSame([[...tensors.keys()], moduleClass], [['a.weight', 'again.weight'], 'some.package.Net']);
});

t.test('a class among the attributes of a module, by its name', async (t) => {
  const { tensors, root } = await open(
    module_('Net', {
      parameters: dict(['w', number]),
      more: [['_norm_layer', p.global('torch.nn.modules.batchnorm', 'BatchNorm2d')]],
    }),
  );
  t.strictSame([...tensors.keys()], ['w']);
  const { attributes } = root as PickleRecord;
  t.equal(attributes?.get('_norm_layer'), 'torch.nn.modules.batchnorm.BatchNorm2d');
});

/** A scalar as NumPy 1 writes it, its bytes as the arguments of `_codecs.encode`. */
const numpyScalar = (code: string, encoded: Buffer): Buffer[] => [
  p.global('numpy.core.multiarray', 'scalar'),
  p.tuple(
    bytes(p.global('numpy', 'dtype'), p.tuple(p.text(code)), p.reduce),
    bytes(p.global('_codecs', 'encode'), encoded, p.reduce),
  ),
  p.reduce,
];

const state = module_('Net', { parameters: dict(['w', number]) });
const refused: readonly [what: string, root: Buffer[], message: RegExp][] = [
  ['calling an unknown class', [p.global('some', 'Net'), p.emptyTuple, p.reduce], /asks for "some\.Net"/],
  [
    'calling os.system',
    [p.global('os', 'system'), p.tuple(p.text('touch x')), p.reduce],
    /asks for "os\.system"/,
  ],
  [
    'an unknown class among arguments',
    [p.global('collections', 'OrderedDict'), p.tuple(p.global('some', 'Net')), p.reduce],
    /asks for "some\.Net"/,
  ],
  ['an unknown class as value', [dict(['w', number], ['x', p.global('some', 'f')])], /asks for "some\.f"/],
  [
    'a class among attributes, put there after the object was made',
    [
      p.emptyDict,
      p.text('o'),
      p.global('some', 'Net'),
      p.emptyTuple,
      newObject,
      p.emptyDict,
      p.put(1),
      p.build,
      p.get(1),
      p.text('x'),
      p.global('some', 'f'),
      p.setItem,
      Buffer.of(0x30), // POP
      p.setItem,
    ],
    /asks for "some\.f"/,
  ],
  [
    'a class in a list among attributes',
    [module_('Net', { more: [['x', bytes(p.emptyList, p.global('some', 'f'), p.append)]] })],
    /asks for "some\.f"/,
  ],
  [
    'an object made with something else than arguments',
    [p.global('some', 'Net'), p.int(1), newObject],
    /makes an object of some\.Net from an int/,
  ],
  [
    'a class among the arguments of an object',
    [p.global('some', 'Net'), p.tuple(p.global('some', 'f')), newObject],
    /keeps a tuple with a storage or class in it/,
  ],
  [
    'an object of a known function',
    [p.global('torch._utils', '_rebuild_tensor_v2'), p.emptyTuple, newObject],
    /makes an object of torch\._utils/,
  ],
  [
    'a NumPy scalar of the wrong size',
    [...numpyScalar('f8', p.tuple(p.text('abc'), p.text('latin1')))],
    /a NumPy scalar of dtype f8 needs 8 bytes/,
  ],
  [
    'a NumPy scalar without a dtype',
    [p.global('numpy.core.multiarray', 'scalar'), p.tuple(p.text('f8'), p.text('x')), p.reduce],
    /made with a string for its dtype/,
  ],
  [
    'a dtype that is no text',
    [p.global('numpy', 'dtype'), p.tuple(p.int(8)), p.reduce],
    /a numpy\.dtype is made from an int/,
  ],
  [
    'a dtype with another state',
    [p.global('numpy', 'dtype'), p.tuple(p.text('f8')), p.reduce, p.emptyDict, p.build],
    /the state of a numpy\.dtype is a dict/,
  ],
  [
    'a path of numbers',
    [p.global('pathlib._local', 'PosixPath'), p.tuple(p.text('/'), p.int(1)), p.reduce],
    /a path is made from an int/,
  ],
  ['an object of no class', [p.int(1), p.emptyTuple, newObject], /makes an object of an int/],
  [
    'a state that is no dict',
    [p.global('some', 'Net'), p.emptyTuple, newObject, p.int(1), p.build],
    /the state of an object of some\.Net must be a dict/,
  ],
  ['a second state', [state, p.emptyDict, p.build], /state of an object of some\.package\.Net twice/],
  [
    'an object as key',
    [bytes(p.emptyDict, state, number, p.setItem)],
    /an object of some\.package\.Net cannot be a key/,
  ],
  [
    'an object that is no module',
    [object('Namespace', dict(['w', number]))],
    /no state dict found: the structure is an object of some\.package\.Namespace/,
  ],
  [
    'a parameter that is no tensor',
    [module_('Net', { parameters: dict(['w', p.int(1)]) })],
    /"w" is an int, not a tensor/,
  ],
  [
    'a child that is no module',
    [module_('Net', { modules: dict(['a', number]) })],
    /"a" is a tensor, not a module/,
  ],
  [
    'a child without members',
    [module_('Net', { modules: dict(['a', object('X', p.emptyDict)]) })],
    /"a" is an object of some\.package\.X, not a module/,
  ],
  [
    'buffers that are no dict',
    [object('Net', dict(['_parameters', p.emptyDict], ['_modules', p.emptyDict], ['_buffers', p.int(1)]))],
    /_buffers of an object of some\.package\.Net is an int/,
  ],
  [
    'a name that is no text',
    [module_('Net', { parameters: bytes(p.emptyDict, p.int(1), number, p.setItem) })],
    /_parameters of .* has a name that is an int/,
  ],
  [
    'a name twice',
    [
      module_('Net', {
        parameters: dict(['a.w', number]),
        modules: dict(['a', module_('B', { parameters: dict(['w', number]) })]),
      }),
    ],
    /two tensors of the module have the name "a\.w"/,
  ],
];
for (const [what, root, message] of refused) {
  t.test(`refused: ${what}`, async (t) => {
    const error = await failure(open(...root));
    t.equal(error.code, 'ERR_CHECKPOINT');
    t.match(error.message, message);
  });
}

t.test('a module that contains itself', async (t) => {
  const circle = bytes(
    p.global('some', 'Net'),
    p.emptyTuple,
    newObject,
    p.put(1),
    dict(['_parameters', p.emptyDict], ['_modules', dict(['self', p.get(1)])]),
    p.build,
  );
  t.match((await failure(open(circle))).message, /nested deeper than 64 levels, or contain themselves/);
});

t.test('modules that unfold without bound', async (t) => {
  // Each holds the one before twice: 2^40 names.
  let nested = bytes(module_('Leaf', { parameters: dict(['w', number]) }), p.put(0));
  for (let i = 1; i < 40; i++)
    nested = bytes(module_('Pair', { modules: dict(['a', nested], ['b', p.get(i - 1)]) }), p.put(i));
  t.match((await failure(open(nested))).message, /unfolds into more than 1000000 members/);
});
