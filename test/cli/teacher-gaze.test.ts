/** The readings of a teacher's splits, where not every film can be read. */
import path from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { openData } from '../../lib/cli/datasets.js';
import { Output, type Session } from '../../lib/cli/session.js';
import type { TeacherFlags } from '../../lib/cli/teacher-flags.js';
import { openSplits } from '../../lib/cli/teacher-gaze.js';

t.test('films that cannot be measured are an error, or left out with a warning', async (t) => {
  const rows = ['good', 'bad', 'gone'].map((name) => `${name}.png,x,train`);
  const gaze = ['good', 'bad', 'gone', 'val', 'stranger'].map((name) => `${name},1,1,0,1`);
  const folder = t.testdir({
    'films.csv': ['path,label,split', ...rows, 'val.png,x,val'].join('\n'),
    'gaze.csv': ['id,x,y,start,end', ...gaze].join('\n'),
    'bad.png': 'no image',
  });
  for (const name of ['good', 'val'])
    await sharp({ create: { width: 4, height: 3, channels: 3, background: 'grey' } }).toFile(
      path.join(folder, `${name}.png`),
    );
  const flags = { csv: path.join(folder, 'films.csv'), split_column: 'split' };
  const data = await openData(flags, { imageSize: 32, purpose: 'training', skipMissing: true });
  const open = async (on_error: 'throw' | 'skip') => {
    const notes: string[] = [];
    const session: Session = {
      ...{ signal: new AbortController().signal, print: () => {}, note: (line) => notes.push(line) },
      progress: () => ({ update: () => {}, end: () => {} }) as unknown as ReturnType<Session['progress']>,
    };
    const source = { gaze: path.join(folder, 'gaze.csv'), max_faults: 0.05, on_error };
    const splits = await openSplits(data, source as TeacherFlags, session, new Output(session, false));
    return { splits, notes };
  };
  const { splits, notes } = await open('skip');
  t.match(splits.train.readings, [{ id: 'good', width: 4, height: 3 }]);
  t.equal(splits.train.images.length, 1);
  t.match(splits.validation.readings, [{ id: 'val' }]);
  t.match(notes.sort(), [
    /^warning: 3 rows of films whose size is not known: 'bad', 'gone', 'stranger'$/,
    /^warning: .*bad\.png/,
    /^warning: .*gone\.png/,
  ]);
  await t.rejects(open('throw'), { message: /(bad|gone)\.png/ });
});
