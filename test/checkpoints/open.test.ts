import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { openTensorFile, type TensorFile } from '../../lib/checkpoints/open.js';
import {
  isTensorRecord,
  type PickleRecord,
  PlainDict,
  type PlainValue,
} from '../../lib/checkpoints/pickle-values.js';
import { failure } from '../support/outcome.js';
import { fixture } from '../support/paths.js';
import { type ExpectedFile, expectedFiles, readStored } from '../support/stored-tensor.js';

const expected = expectedFiles();
const path = (name: string): string => fixture('checkpoints', name);

/** Names and contents of a file's tensors. */
function contents({ tensors }: TensorFile): Record<string, unknown> {
  return Object.fromEntries([...tensors].map(([name, record]) => [name, readStored(record)]));
}

for (const [name, file] of Object.entries(expected)) {
  if (!('tensors' in file)) continue;
  t.test(`${name} has PyTorch's tensors`, async (t) => {
    const opened = await openTensorFile(path(name));
    t.equal(opened.format, file.format);
    t.equal(opened.file, path(name));
    t.strictSame(contents(opened), file.tensors);
    if (file.format !== 'safetensors') {
      t.strictSame([...opened.tensors.keys()], Object.keys(file.tensors), 'in the order of the state dict');
    }
    t.strictSame(opened.metadata, file.metadata ?? {});
    t.ok([...opened.tensors].every(([key, record]) => record.name === key && record.file === path(name)));
  });
}

for (const name of ['author.zip.pt', 'author.legacy.pt']) {
  const { tensors: weights, step, optimizer } = expected[name] as ExpectedFile;
  t.test(`${name}: weights, optimizer and everything`, async (t) => {
    t.strictSame(contents(await openTensorFile(path(name), { key: 'weights' })), weights);
    const all = contents(await openTensorFile(path(name), { key: null }));
    t.strictSame(
      Object.keys(all)
        .filter((key) => key.startsWith('optimizer.'))
        .sort(),
      optimizer,
    );
    for (const [key, tensor] of Object.entries(step ?? {})) t.strictSame(all[key], tensor, key);
    const noDict = await failure(openTensorFile(path(name), { key: 'optimizer' }));
    t.match(noDict, { code: 'ERR_CHECKPOINT', message: /"optimizer" is no state dict/ });
    const misspelt = await failure(openTensorFile(path(name), { key: 'weight' }));
    t.match(misspelt, { code: 'ERR_CHECKPOINT', message: /no key "weight"; did you mean 'weights'/ });
  });
}

t.test('a state dict keeps its _metadata as an attribute', async (t) => {
  const { root } = await openTensorFile(path('bare.zip.pt'));
  const metadata = (root as PlainDict).attributes?.get('_metadata') as PlainDict;
  t.equal((metadata.get('bn') as PlainDict).get('version'), 2, "BatchNorm's version");
});

for (const name of ['plain.zip.pt', 'plain.legacy.pt']) {
  t.test(`${name}: plain values arrive as they were`, async (t) => {
    const { root } = await openTensorFile(path(name));
    if (!(root instanceof PlainDict)) throw new Error('not a dict');
    const get = (key: string): PlainValue | undefined => root.get(key);
    t.equal(get('none'), null);
    t.equal(get('yes'), true);
    t.equal(get('int'), -3);
    t.equal(get('big'), 2n ** 70n);
    t.equal(get('float'), 0.1);
    t.equal(get('text'), 'Größe \ufeff');
    t.strictSame(get('bytes'), new Uint8Array([0, 255]));
    t.strictSame(get('tuple'), [1, [2, 3]]);
    t.ok(Object.isFrozen(get('tuple')), 'a tuple is frozen');
    t.strictSame(get('list'), [1, [2]]);
    t.notOk(Object.isFrozen(get('list')));
    t.strictSame(get('set'), new Set([1, 2]));
    t.strictSame([...(get('counter') as PlainDict)], [['a', 2]]);
    t.strictSame([...(get('default') as PlainDict)], [['k', [1]]]);
    t.strictSame(get('size'), [2, 3]);
    t.equal(get('dtype'), 'torch.float16');
    t.equal(get('device'), 'cuda:1');
    t.equal(get('long text'), 'x'.repeat(300));
    t.strictSame(
      get('history'),
      Array.from({ length: 300 }, (_, i) => i),
    );
    const tensor = (get('model') as PlainDict).get('noted') as PlainValue;
    t.ok(isTensorRecord(tensor) && tensor.name === '', 'tensors inside the structure have no name');
  });
}

for (const name of ['belongings.protocol2.pt', 'belongings.protocol5.pt']) {
  t.test(`${name}: what programs keep beside the weights`, async (t) => {
    const { root } = await openTensorFile(path(name));
    const get = (key: string): PlainValue | undefined => (root as PlainDict).get(key);
    const record = (key: string): PickleRecord => get(key) as PickleRecord;
    const values = ['best', 'loss', 'epoch', 'big', 'small', 'done', 'swapped'].map(get);
    t.strictSame(values, [0.5, 0.25, 7, 2n ** 63n, -3, true, 3], 'scalars of NumPy');
    t.equal(record('half').className, 'numpy scalar f2');
    t.strictSame([get('path'), get('relative')], ['/data/films/train', 'films/train']);
    t.match(get('windows'), /^C:.*films$/);
    t.equal((get('random') as PlainValue[])[0], 'MT19937');
    for (const array of [(get('random') as PlainValue[])[1], get('names')])
      t.match(array, { className: 'numpy.ndarray' });
    t.equal(record('args').className, 'argparse.Namespace');
    t.equal(record('args').attributes?.get('backbone'), 'resnet50');
    t.equal(record('norm').className, 'functools.partial');
    const { className, items, attributes } = record('settings');
    t.equal(className, '__main__.Settings');
    t.strictSame(
      [...(items ?? [])],
      [
        ['lr', 1e-4],
        ['size', [224, 224]],
      ],
    );
    t.equal(attributes?.get('note'), 'an attribute');
    t.match(record('split'), { className: '__main__.Split', args: ['train', 3] });
    t.match(record('torch').args, [/^2\./]);
  });
}

const moduleKeys: Record<string, string[]> = JSON.parse(readFileSync(path('module-keys.json'), 'utf8'));
for (const [name, keys] of Object.entries(moduleKeys)) {
  t.test(`${name}, a network of somebody else's pickled whole, has PyTorch's keys`, async (t) => {
    const { tensors, moduleClass } = await openTensorFile(path(name));
    t.match(moduleClass, /^(torch\.nn\.parallel\.data_parallel\.DataParallel|timm\.models\.)/);
    t.strictSame([...tensors.keys()], keys);
  });
}

t.test('a module that was pickled whole is its state dict', async (t) => {
  const { tensors, moduleClass } = await openTensorFile(path('whole-module.pt'));
  t.equal(moduleClass, '__main__.Net');
  t.strictSame(
    [...tensors].map(([name, { shape, dtype }]) => `${name} ${dtype}[${shape}]`),
    [
      'conv.weight float32[2,1,3,3]',
      'conv.bias float32[2]',
      ...['weight', 'bias', 'running_mean', 'running_var'].map((part) => `bn.${part} float32[2]`),
      'bn.num_batches_tracked int64[]',
      'fc.weight float32[3,2]',
      'fc.bias float32[3]',
    ],
  );
  const every = await openTensorFile(path('whole-module.pt'), { key: null });
  t.strictSame([...every.tensors.keys()], [...tensors.keys()], 'by the whole structure too');
});

const refused: Readonly<Record<string, RegExp>> = {
  'os-system.zip.pt':
    /at byte \d+ of os-system\.zip\/data\.pkl \(byte \d+ of the file\): the pickle asks for "(posix|nt)\.system"/,
  'os-system.legacy.pt':
    /at byte \d+ of the pickle \(byte \d+ of the file\): the pickle asks for "(posix|nt)\.system"/,
  'eval.protocol4.pt': /the pickle asks for "builtins\.eval"/,
  'complex.pt': /the pickle asks for "torch\.ComplexFloatStorage"/,
  'uint16.pt': /dtype torch\.uint16, which is not supported/,
  'negated.pt': /stored conj and neg|stored neg/,
  'sparse.pt': /the pickle asks for "torch\.[\w.]*(sparse|layout)\w*"/,
  'bare-storage.pt': /keeps a bare storage as a value/,
  'other-key.pt': /no state dict found: .* the keys "epoch", "net".* option key/,
  'torchscript.pt': /TorchScript archive/,
  'not-torch.pkl': /a pickle, but not one that torch\.save wrote/,
  'compressed.pt': /is compressed \(method 8/,
  'bomb.pt': /is compressed \(method 8.* claim to become/,
  'big-endian.pt': /big-endian/,
  'big-endian.legacy.pt': /big-endian/,
  'short-storage.pt': /needs a storage of 72 bytes, but "0" has 68/,
  'missing-storage.pt': /views the storage "0", which is not in the file/,
  'short-pickle.pt': /in the middle of its pickle/,
  'long-pickle.pt': /2 bytes after the end of its pickle/,
  'same-bytes.pt': /directory names an entry "bare\.zip\/data\/1", its local header "bare\.zip\/data\/0"/,
  'legacy-tar.pt': /tar archive/,
  'f4.npy': /NumPy array/,
  'expected.json': /neither a safetensors file nor one that torch\.save wrote/,
};

for (const [name, message] of Object.entries(refused)) {
  t.test(`${name} is refused`, async (t) => {
    const error = await failure(openTensorFile(path(name)));
    t.equal(error.code, 'ERR_CHECKPOINT');
    t.match(error.message, message);
    t.ok(error.message.startsWith(`${path(name)}: `), 'the message names the file');
    t.equal(error.details.file, path(name));
    t.notOk(existsSync('os-system-was-called'), 'nothing was executed');
  });
}

t.test('a refused global is named in details, with its position in the file', async (t) => {
  const error = await failure(openTensorFile(path('os-system.legacy.pt')));
  t.match(error.details.global, /^(posix|nt)\.system$/);
  const at = error.details.position as number;
  t.match(readFileSync(path('os-system.legacy.pt')).toString('latin1', at, at + 13), /^c(posix|nt)\nsystem/);
});

t.test('another key is read when it is named', async (t) => {
  const { tensors } = await openTensorFile(path('other-key.pt'), { key: 'net' });
  t.equal(tensors.size, 9);
});

t.test('misuse', async (t) => {
  t.match(await failure(openTensorFile(path('no-such-file.pt'))), {
    code: 'ERR_FILE',
    message: /no-such-file\.pt could not be opened/,
  });
  t.match(await failure(openTensorFile(fixture('checkpoints'))), {
    code: 'ERR_FILE',
    message: /not a regular file/,
  });
  t.match(await failure(openTensorFile('')), { code: 'ERR_INVALID_ARGUMENT' });
  t.match(await failure(openTensorFile(path('bare.zip.pt'), { kee: 'x' } as object)), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /options\.kee.*did you mean 'key'/,
  });
  t.match(await failure(openTensorFile(path('bare.zip.pt'), { key: '' })), { code: 'ERR_INVALID_ARGUMENT' });
  t.match(await failure(openTensorFile(path('dtypes.safetensors'), { key: 'weights' })), {
    code: 'ERR_CHECKPOINT',
    message: /no key "weights" to choose/,
  });
});
