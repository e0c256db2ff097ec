import t from 'tap';
import { type PickleWorld, PlainDict, type PlainValue } from '../../lib/checkpoints/pickle-values.js';
import {
  MAX_PICKLE_STEPS,
  PickleCutShort,
  type Unpickled,
  unpickle,
} from '../../lib/checkpoints/unpickler.js';
import * as p from '../support/pickle-bytes.js';

const world: PickleWorld = {
  global: () => undefined,
  persistent: (_id, place) => {
    throw place.error('none here');
  },
};

const run = (bytes: Buffer): Unpickled =>
  unpickle(bytes, { file: 'x.pt', part: 'data.pkl', offset: 100 }, world);
/** The value of a pickle of opcodes in hexadecimal, without PROTO and STOP. */
const value = (hex: string): PlainValue => run(p.pickle(Buffer.from(hex, 'hex'))).value;

t.test('every opcode, by its bytes', async (t) => {
  t.equal(value('4e'), null);
  t.equal(value('88'), true);
  t.equal(value('89'), false);
  t.equal(value('4aff7f0000'), 32767);
  t.equal(value('4afeffffff'), -2);
  t.equal(value('4bff'), 255);
  t.equal(value('4d0180'), 32769);
  t.equal(value('8a00'), 0);
  t.equal(value('8a01ff'), -1);
  t.equal(value('8a02ff00'), 255);
  t.equal(value('8a07ffffffffffff1f'), 2 ** 53 - 1);
  t.equal(value('8a0700000000000020'), 2n ** 53n);
  t.equal(value('8a080000000000000080'), -(2n ** 63n));
  t.equal(value('8b0200000001ff'), -255);
  t.equal(value('473ff8000000000000'), 1.5);
  t.equal(value('5803000000e282ac'), '€');
  t.equal(value('8c02c3a4'), 'ä');
  t.equal(value('8d010000000000000061'), 'a');
  t.equal(value('550161'), 'a');
  t.equal(value('540100000061'), 'a');
  t.strictSame(value('4302ff00'), new Uint8Array([255, 0]));
  t.strictSame(value('4201000000ff'), new Uint8Array([255]));
  t.strictSame(value('8e0100000000000000ff'), new Uint8Array([255]));
  t.strictSame(value('960100000000000000ff'), new Uint8Array([255]));
  t.strictSame(value('29'), []);
  t.strictSame(value('4b0185'), [1]);
  t.strictSame(value('4b014b0286'), [1, 2]);
  t.strictSame(value('4b014b024b0387'), [1, 2, 3]);
  t.strictSame(value('284b014b0274'), [1, 2]);
  t.strictSame(value('5d4b0161'), [1]);
  t.strictSame(value('5d284b014b0265'), [1, 2]);
  t.strictSame(value('7d4b014b0273'), new PlainDict([[1, 2]]));
  t.strictSame(
    value('7d284b014b024b034b0475'),
    new PlainDict([
      [1, 2],
      [3, 4],
    ]),
  );
  t.strictSame(value('8f284b014b0190'), new Set([1]));
  t.strictSame(value('284b014b0291'), new Set([1, 2]));
  t.strictSame(value('4b017105306805'), 1, 'BINPUT, POP, BINGET');
  t.strictSame(value('4b0172000100004b0286306a00010000'), 1, 'LONG_BINPUT, LONG_BINGET');
  t.strictSame(value('4b07944b089486306801'), 8, 'MEMOIZE counts up');
  t.strictSame(value('4b013286'), [1, 1], 'DUP');
  t.strictSame(value('4b01284b024b0331'), 1, 'POP_MARK');
  t.strictSame(value('95010000000000000088'), true, 'FRAME');
});

t.test('a list and a tuple stay apart, shared values stay shared', async (t) => {
  t.notOk(Object.isFrozen(value('5d')));
  t.ok(Object.isFrozen(value('29')));
  const [a, b] = value('5d7100680086') as unknown[];
  t.equal(a, b, 'one list, twice');
});

t.test('the end is told, for what follows is not the pickle', async (t) => {
  t.equal(run(Buffer.concat([p.pickle(p.none), Buffer.from('rest')])).end, 4);
});

const refused: readonly [name: string, hex: string, message: RegExp][] = [
  ['an opcode of classes', '81', /opcode NEWOBJ \(0x81\) is not one that tensors and plain containers need/],
  ['an opcode of instances', '69', /opcode INST \(0x69\)/],
  ['an opcode of extensions', '8201', /opcode EXT1/],
  ['an opcode of buffers', '97', /opcode NEXT_BUFFER/],
  ['no opcode', 'ff', /opcode 0xff is not one/],
  ['protocol 6', '8006', /pickle protocol 6 is not known/],
  ['a name', p.global('os', 'system').toString('hex'), /asks for "os\.system"/],
  ['a long name', p.global('a'.repeat(1000), 'b').toString('hex'), /asks for "a{190,197}\.\.\."/],
  ['a name from the stack', '8c026f738c0673797374656d93', /asks for "os\.system"/],
  ['a name that is no string', '4b014b0293', /global that is no string/],
  ['nothing to pop', '30', /takes more from its stack than there is/],
  ['popping below a mark', '4b012830', /takes more from its stack/],
  ['a tuple of too few', '4b0186', /takes more from its stack/],
  ['no mark', '74', /mark that is not there/],
  ['no memo', '6800', /memo 0, which is not there/],
  ['nothing to keep', '7100', /takes more from its stack/],
  ['appending to a tuple', '294b0161', /appends to a tuple/],
  ['appending to a dict', '7d4b0161', /appends to a dict/],
  ['items of a list', '5d4b014b0273', /sets items of a list/],
  ['members of a list', '5d284b0190', /adds members to a list/],
  ['a key without value', '7d284b0175', /a key without a value/],
  ['a list as key', '7d5d4b0173', /a list cannot be a key/],
  ['a dict in a set', '8f287d90', /a dict cannot be a key/],
  ['text that is not UTF-8', '8c01ff', /a string is not UTF-8/],
  ['an integer of 64 MiB', '8b00000004', /an integer of 67108864 bytes/],
  ['two values', '4b014b02', /unfinished stack/],
  ['no value', '', /unfinished stack/],
  ['an open mark', '284b01', /unfinished stack/],
  ['an outside object', '4e51', /none here/],
];
for (const [name, hex, message] of refused) {
  t.test(`refused: ${name}`, async (t) => {
    t.throws(() => value(hex), { code: 'ERR_CHECKPOINT', message });
  });
}

t.test('the place is in the message and in the details', async (t) => {
  t.throws(() => value('4b0181'), {
    message:
      "x.pt: at byte 4 of data.pkl (byte 104 of the file): the pickle's opcode NEWOBJ (0x81) is not one that tensors and plain containers need",
    details: { file: 'x.pt', part: 'data.pkl', position: 104 },
  });
});

const cutShort = [
  '8a',
  '8a05ff',
  '58ffffffff61',
  '8dffffffffffffffff',
  '4201',
  '47ff',
  '636f730a737973',
  '4a0000',
  '95ff',
];
for (const hex of cutShort) {
  t.test(`cut short: ${hex}`, async (t) => {
    t.throws(() => run(Buffer.from(`8002${hex}`, 'hex')), PickleCutShort);
  });
}

t.test('work is bounded', async (t) => {
  const endless = Buffer.alloc(MAX_PICKLE_STEPS + 10, 0x4e);
  t.throws(() => run(endless), { code: 'ERR_CHECKPOINT', message: /more than 8000000 opcodes/ });
});
