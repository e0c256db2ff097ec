import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { phantomSplits } from '../../lib/data/phantom/splits.js';
import { writePhantoms } from '../../lib/data/phantom/write.js';
import { cli, linesOf } from '../support/cli.js';

t.setTimeout(240_000);

async function writeFilm(file: string, width: number, height: number): Promise<void> {
  const background = { r: 9, g: 9, b: 9 };
  await sharp({ create: { width, height, channels: 3, background } }).toFile(file);
}

function sizeOfMap(folder: string, maps: string, film: string) {
  return sharp(path.join(folder, maps, 'timewindowed_0', `global_${film}.png`)).metadata();
}

const choice = { seed: 4, size: 64, train: 9, valPerClass: 0, testPerClass: 0, test: 0 };

t.test('from a table of fixations to maps over the films', async (t) => {
  const folder = t.testdir();
  await writePhantoms(path.join(folder, 'sample'), choice);
  const command = [
    'heatmaps',
    '--gaze',
    'sample/gaze/fixations.csv',
    '--data_dir',
    'sample/images',
    '--overlay',
  ];
  const sizes = ['--size', '32', '--sigma', '40', '--windows', '2', '--out-dir', 'maps', '--json'];
  const ended = await cli([...command, ...sizes], folder);
  t.equal(ended.code, 0, ended.stderr);
  t.match(linesOf(ended).at(-1), { type: 'heatmaps', readings: 9, maps: 36, withoutFilm: [] });
  const { id } = phantomSplits(choice).train.phantom(0);
  t.ok(existsSync(path.join(folder, 'maps', 'overlays', 'timewindowed_1', `global_${id}.png`)));
  t.match(JSON.parse(readFileSync(path.join(folder, 'maps', 'heatmaps.json'), 'utf8')), {
    ...{ size: 32, sigma: { global: 40, focal: 40 }, windows: 2, convention: 'half-open' },
    source: { filtered: { offFilm: 0 } },
  });

  const again = await cli([...command, '--out_dir', 'maps'], folder);
  t.equal(again.code, 1);
  t.match(again.stderr, /ERR_EXISTS.*allow overwriting/);
});

t.test('what is left out is said; fractions, published windows', async (t) => {
  const rows = Array.from({ length: 40 }, (_, i) => `a,0.5,0.5,${i},${i + 1}`);
  const folder = t.testdir({ 'gaze.csv': `id,x,y,start,end\n${rows.join('\n')}\na,2,0.5,1,2\n` });
  const { code, stdout, stderr } = await cli(
    ['heatmaps', '--gaze', 'gaze.csv', '--normalised', '--as_published', '--size', '16', '--out_dir', 'maps'],
    folder,
  );
  t.equal(code, 0, stderr);
  t.match(stderr, /warning: 1 row off the film/);
  t.match(stdout, /1 readings, 41 rows in gaze\.csv/);
  t.match(stdout, /8 heat maps of 1 readings in/);
  const strict = await cli(
    ['heatmaps', '--gaze', 'gaze.csv', '--normalised', '--max_faults', '0.01'],
    folder,
  );
  t.equal(strict.code, 1);
  t.match(strict.stderr, /ERR_TABLE: gaze\.csv: 1 of 41 rows \(2\.4 %\) have faults/);
  writeFileSync(path.join(folder, 'gaze.csv'), 'id,x,y,start,end\n../a,1,1,0,1\n');
  const hostile = await cli(['heatmaps', '--gaze', 'gaze.csv', '--normalised'], folder);
  t.match(hostile, { code: 1, stderr: /ERR_PATH_ESCAPE: gaze\.csv, line 2, column 'id'/ });
  t.same(readdirSync(folder).sort(), ['gaze.csv', 'maps']);
});

t.test('films are measured when the table names them; those that are not there are left out', async (t) => {
  const folder = t.testdir({ 'gaze.csv': 'id,x,y,start,end\nfilm,1,1,0,1\nelsewhere,1,1,0,1\n', films: {} });
  await writeFilm(path.join(folder, 'films', 'film.png'), 4, 3);
  writeFileSync(path.join(folder, 'films', 'broken.png'), 'no image');
  const command = [
    'heatmaps',
    '--gaze',
    'gaze.csv',
    '--data_dir',
    'films',
    '--size',
    'film',
    '--windows',
    '1',
  ];
  const ended = await cli([...command, '--out_dir', 'maps', '--json'], folder);
  t.equal(ended.code, 0, ended.stderr);
  t.match(ended.stderr, /warning: 1 row of films whose size is not known: 'elsewhere'\n/);
  const warning = { type: 'warning', kind: 'gaze-filtered', reason: 'unknownFilm', images: ['elsewhere'] };
  t.match(linesOf(ended), [warning, { type: 'heatmaps', readings: 1 }]);
  t.match(await sizeOfMap(folder, 'maps', 'film'), { width: 4, height: 3 });
  writeFileSync(path.join(folder, 'gaze.csv'), 'id,x,y,start,end\nelsewhere,1,1,0,1\n');
  t.match(await cli(command, folder), {
    code: 1,
    stderr: /ERR_DATASET: gaze\.csv: the size of its only film/,
  });
});

t.test('what lies outside of the chest boxes is left out and counted', async (t) => {
  const fixations = 'timestamp_start_fixation,timestamp_end_fixation,x_position,y_position';
  const metadata = 'id,eye_tracking_data_discarded,image,image_size_x,image_size_y';
  const rows = `${fixations}\n0,1,10,20\n1,2,90,20\n2,3,95,30`;
  const folder = t.testdir({
    main_data: {
      'metadata_phase_3.csv': `${metadata}\nA,False,a.dcm,100,80\nB,False,b.dcm,100,80\n`,
      A: { 'fixations.csv': rows, 'chest_bounding_box.csv': 'xmin,ymin,xmax,ymax\n5,5,50,70\n' },
      B: { 'fixations.csv': rows },
    },
  });
  const command = ['heatmaps', '--reflacx', '.', '--size', '16', '--windows', '1'];
  const ended = await cli([...command, '--chest_box', '--out_dir', 'maps', '--json'], folder);
  t.equal(ended.code, 0, ended.stderr);
  t.match(
    ended.stderr,
    /warning: 2 rows outside of the chest box\n.*1 readings without a chest box, kept whole/,
  );
  const { source } = JSON.parse(readFileSync(path.join(folder, 'maps', 'heatmaps.json'), 'utf8'));
  t.match(source, { chestBox: true, filtered: { outsideChestBox: 2, withoutChestBox: 1 } });
  const whole = await cli([...command, '--out_dir', 'whole'], folder);
  t.notMatch(whole.stderr, /chest box/);
});

t.test('EGD, by samples or fixations, and scanpaths over SIIM films', async (t) => {
  const columns = 'SESSION_ID,DICOM_ID,Time (in secs),FPOGX,FPOGY,FPOGD,X_ORIGINAL,Y_ORIGINAL';
  const folder = t.testdir({
    egd: {
      'master_sheet.csv':
        'dicom_id,path,image_top_pad,image_bottom_pad,image_left_pad,image_right_pad\none,files/p10/one.dcm,0,0,480,480\n',
      'eye_gaze.csv': `${columns}\n1,one,0.5,0.25,0.5,9,-2,0\n1,one,1,0.5,0.5,9,5,5\n1,calibration,0,0.5,0.5,9,-2,-2\n`,
      'fixations.csv': `${columns}\n1,one,1,0,0,0.75,100,200\n1,one,2.5,0,0,1,300,300\n1,one,3,0,0,1,500,300\n`,
    },
    'scanpaths.json': JSON.stringify([
      { image_id: 'a', gaze_x: [0.25, 0.5], gaze_y: [0.75, 0.25], time: [6, 12] },
    ]),
  });
  const render = async (gaze: readonly string[], out: string) => {
    const words = ['heatmaps', ...gaze, '--size', '16', '--windows', '1', '--out_dir', out, '--json'];
    const ended = await cli(words, folder);
    t.equal(ended.code, 0, ended.stderr);
    const { source } = JSON.parse(readFileSync(path.join(folder, out, 'heatmaps.json'), 'utf8'));
    return { last: linesOf(ended).at(-1), source };
  };
  const samples = await render(['--egd', 'egd'], 'samples');
  t.match(samples.last, { type: 'heatmaps', readings: 1, maps: 2 });
  t.match(samples.source, { filtered: { calibration: 1, offFilm: 0 } });
  const egd = ['--egd', 'egd', '--egd_table', 'fixations', '--film_size', '400,400', '--max_faults', '0.5'];
  const fixations = await render(egd, 'fixed');
  t.match(fixations.source, { filtered: { offFilm: 1 } });
  const siim = await render(['--siim', 'scanpaths.json', '--whole', '--arrays', '--max_faults', '1'], 'siim');
  t.match(siim.last, { readings: 1 });
  const written = readdirSync(path.join(folder, 'siim'), { recursive: true }).map(String);
  for (const name of ['timewindowed_0/global_a.png', 'arrays/focal_a.npy', 'whole/focal_a.png'])
    t.ok(written.includes(path.normalize(name)), name);
});

t.test('EGD and SIIM take the sizes of the films of --data_dir', async (t) => {
  const columns = 'DICOM_ID,Time (in secs),FPOGX,FPOGY,FPOGD,X_ORIGINAL,Y_ORIGINAL';
  const pads = 'dicom_id,image_top_pad,image_bottom_pad,image_left_pad,image_right_pad';
  const scanpath = { gaze_x: [0.25, 0.5], gaze_y: [0.75, 0.25], time: [6, 12] };
  const folder = t.testdir({
    films: {},
    egd: {
      'master_sheet.csv': `${pads}\none,0,0,480,480\nother,0,0,480,480\n`,
      'eye_gaze.csv': `${columns}\none,1,0.5,0.75,9,1,1\nother,1,0.5,0.5,9,1,1\n`,
    },
    pixels: { 'eye_gaze.csv': `${columns}\none,1,0.5,0.75,9,24,50\nother,1,0.5,0.5,9,1,1\n` },
    'siim.json': JSON.stringify(['one', 'other'].map((image_id) => ({ image_id, ...scanpath }))),
    'none.json': JSON.stringify([{ image_id: 'other', ...scanpath }]),
  });
  // In the proportions of 960 x 1080, which it had on the screen; of one film only.
  await writeFilm(path.join(folder, 'films', 'one.png'), 48, 54);
  const render = async (source: readonly string[], out: string) => {
    const words = ['heatmaps', ...source, '--data_dir', 'films', '--size', 'film', '--windows', '1'];
    const ended = await cli([...words, '--out_dir', out], folder);
    t.equal(ended.code, 0, ended.stderr);
    t.match(await sizeOfMap(folder, out, 'one'), { width: 48, height: 54 }, out);
    return ended.stderr;
  };
  t.equal(await render(['--egd', 'egd'], 'screen'), '');
  t.match(await sizeOfMap(folder, 'screen', 'other'), { width: 960, height: 1080 }, 'as on the screen');
  const left = /rows? of films whose size is not known: 'other'/;
  t.match(await render(['--egd', 'pixels'], 'original'), left, 'without a master sheet');
  t.match(await render(['--siim', 'siim.json'], 'siim'), left);
  const none = ['heatmaps', '--siim', 'none.json', '--data_dir', 'films', '--size', 'film'];
  t.match(await cli(none, folder), { code: 1, stderr: /ERR_DATASET: none\.json: the size of its only film/ });
});

t.test('EGD and REFLACX together: the readings of both, of one film too', async (t) => {
  const columns = 'DICOM_ID,Time (in secs),FPOGX,FPOGY,FPOGD,X_ORIGINAL,Y_ORIGINAL';
  const pads = 'dicom_id,image_top_pad,image_bottom_pad,image_left_pad,image_right_pad';
  const metadata = 'id,eye_tracking_data_discarded,image,image_size_x,image_size_y';
  const fixations =
    'timestamp_start_fixation,timestamp_end_fixation,x_position,y_position\n0,1,10,20\n1,2,90,20';
  const folder = t.testdir({
    films: {},
    egd: {
      'master_sheet.csv': `${pads}\nboth,0,0,480,480\nfirst,0,0,480,480\n`,
      'eye_gaze.csv': `${columns}\nboth,1,0.5,0.75,9,1,1\nfirst,1,0.5,0.5,9,1,1\n`,
    },
    reflacx: {
      main_data: {
        'metadata_phase_3.csv': `${metadata}\nP1R1,False,both.dcm,100,80\nP1R2,True,other.dcm,100,80\n`,
        P1R1: { 'fixations.csv': fixations, 'chest_bounding_box.csv': 'xmin,ymin,xmax,ymax\n5,5,50,70\n' },
      },
    },
    same: {
      main_data: {
        'metadata_phase_3.csv': `${metadata}\nboth,False,both.dcm,100,80\n`,
        both: { 'fixations.csv': fixations },
      },
    },
  });
  await writeFilm(path.join(folder, 'films', 'both.png'), 48, 54);
  const words = ['heatmaps', '--egd', 'egd', '--windows', '1', '--size', 'film', '--data_dir', 'films'];
  const ended = await cli([...words, '--reflacx', 'reflacx', '--chest_box', '--out_dir', 'maps'], folder);
  t.equal(ended.code, 0, ended.stderr);
  const { source, entries } = JSON.parse(readFileSync(path.join(folder, 'maps', 'heatmaps.json'), 'utf8'));
  t.match(source, {
    rows: 4,
    filtered: { discarded: 1, outsideChestBox: 1, withoutChestBox: 0 },
  });
  t.match(source.table, /egd.* and .*reflacx/);
  t.strictSame(
    entries.map(({ id, image, name }: Record<string, string>) => [id, image, name]),
    [
      ['both', 'both', 'both_both'],
      ['first', 'first', 'first'],
      ['P1R1', 'both', 'both_P1R1'],
    ],
  );
  t.match(
    await sizeOfMap(folder, 'maps', 'both_both'),
    { width: 48, height: 54 },
    "EGD's in the film's pixels",
  );
  t.match(await sizeOfMap(folder, 'maps', 'both_P1R1'), { width: 100, height: 80 }, 'REFLACX knows its own');
  t.match(await cli([...words, '--reflacx', 'same', '--out_dir', 'none'], folder), {
    code: 1,
    stderr: /ERR_DATASET: .*egd.* and .*same.* both have a reading called both/,
  });
  // The smaller of the two is read first.
  const gone = ['heatmaps', '--egd', 'no-egd', '--reflacx', 'no-reflacx', '--out_dir', 'none'];
  t.match(await cli(gone, folder), { code: 1, stderr: /^ERR_FILE: .*no-reflacx/m });
});

t.test('flags that do not belong together', async (t) => {
  const folder = t.testdir({ 'gaze.csv': 'id,x,y,start,end\na,1,1,0,1\n', films: {} });
  const cases: readonly (readonly [string[], RegExp])[] = [
    [[], /Expected one of --egd FOLDER, .* but received none/],
    [['--data_dir', 'gone'], /Expected one of --egd FOLDER/],
    [['--siim', 'x', '--normalised', '--data_dir', 'gone'], /--normalised does not belong to --siim/],
    [['--egd', 'a', '--siim', 'b'], /or --egd and --reflacx, but received --egd and --siim/],
    [['--egd', 'a', '--reflacx', 'b', '--gaze', 'c'], /but received --egd and --reflacx and --gaze/],
    [['--egd', 'a', '--reflacx', 'b', '--normalised'], /--normalised does not belong to --egd and --reflacx/],
    [['--gaze', 'gaze.csv'], /--film_size WIDTH,HEIGHT or --data_dir FOLDER with --gaze in pixels/],
    [['--siim', 'x', '--normalised'], /--normalised does not belong to --siim/],
    [['--reflacx', 'x', '--film_size', '3,4'], /--film_size does not belong to --reflacx/],
    [['--gaze', 'gaze.csv', '--film_size', '3,4', '--data_dir', 'films'], /not both/],
    [
      ['--gaze', 'gaze.csv', '--normalised', '--overlay'],
      /--data_dir FOLDER, the folder of the films, with --overlay/,
    ],
    [['--gaze', 'gaze.csv', '--film_size', '0,4'], /above 0 for --film_size/],
    [['--gaze', 'gaze.csv', '--normalised', '--size', 'big'], /--size <pixels>/],
  ];
  const results = await Promise.all(cases.map(([args]) => cli(['heatmaps', ...args], folder)));
  for (const [i, [args, message]] of cases.entries()) {
    t.equal(results[i]?.code, 2, args.join(' '));
    t.match(results[i]?.stderr, message);
  }
  t.notOk(existsSync(path.join(folder, 'results')));
});
