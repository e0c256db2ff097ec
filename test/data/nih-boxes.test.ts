import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { readNihBoxes } from '../../lib/data/nih-boxes.js';

const header = 'Image Index,Finding Label,Bbox [x,y,w,h],,,';

t.test('rows with and without the empty columns of the header, packed or not', async (t) => {
  const folder = t.testdir();
  const text = [
    ...[header, '00013118_008.png,Atelectasis,225.084745762712,547.019216763771,86.77,79.18'],
    ...['00013118_008.png,Infiltrate,1,2,3,4,,,', '00000032_037.png,Effusion,0,10,1024,20', ''],
  ].join('\r\n');
  const [plain, packed] = [join(folder, 'a.csv'), join(folder, 'a.csv.gz')];
  writeFileSync(plain, text);
  writeFileSync(packed, gzipSync(text));
  const found = await readNihBoxes(plain);
  t.strictSame(await readNihBoxes(packed), found);
  t.equal(found.size, 1024);
  t.strictSame(found.images.get('00013118_008.png'), [
    {
      finding: 'Atelectasis',
      box: { x: 225.084745762712, y: 547.019216763771, width: 86.77, height: 79.18 },
    },
    { finding: 'Infiltration', box: { x: 1, y: 2, width: 3, height: 4 } },
  ]);
  t.equal(found.images.size, 2);
});

t.test('faults are named by line and column', async (t) => {
  const file = join(t.testdir(), 'boxes.csv');
  const read = (rows: readonly string[], first = header) => {
    writeFileSync(file, [first, 'a.png,Mass,1,1,2,2', ...rows].join('\n'));
    return readNihBoxes(file);
  };
  const code = 'ERR_TABLE';
  await t.rejects(read(['b.png,Mass,1,1,2']), { code, message: /line 3/ });
  await t.rejects(read(['b.png,Mass,1,x,2,2']), { code, message: /line 3, column 'y': .*"x"/ });
  await t.rejects(read(['b.png,Mass,1,-1,2,2']), { code, message: /line 3, column 'y'/ });
  await t.rejects(read(['b.png,Mass,1,1,0,2']), { code, message: /column 'w': the frame is empty/ });
  await t.rejects(read(['b.png,Mass,1000,1,90,2']), { code, message: /ends beyond 1024/ });
  await t.rejects(read(['../b.png,Mass,1,1,2,2']), { code, message: /column 'Image Index'/ });
  await t.rejects(read(['b.png,,1,1,2,2']), { code, message: /column 'Finding Label'/ });
  await t.rejects(read([], 'name,label,x,y,w,h'), { code, message: /line 1: expected the header/ });
  await t.rejects(readNihBoxes(join(t.testdirName, 'none.csv')), { code: 'ERR_FILE' });
});

const real = join(process.env.CXR_GAZE_DATA ?? '', 'labels', 'nih', 'BBox_List_2017.csv.gz');
const skip =
  process.env.CXR_GAZE_DATA && existsSync(real) ? false : 'CXR_GAZE_DATA names no folder that has it';
t.test("NIH's own list", { skip }, async (t) => {
  const { images } = await readNihBoxes(real);
  t.equal(images.size, 880);
  t.equal([...images.values()].flat().length, 984);
  t.equal([...images.values()].flat().filter(({ finding }) => finding === 'Infiltration').length, 123);
});
