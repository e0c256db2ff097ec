import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFile,
  cp,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import { assemble } from '../../lib/data/batch.js';
import type { ImageSource, Pixels } from '../../lib/data/dataset.js';
import { decodeImage } from '../../lib/data/decode.js';
import {
  type PreparedImages,
  type PrepareOptions,
  type PrepareProgress,
  prepareImages,
} from '../../lib/data/prepare.js';
import { resizeArea, resizeImage } from '../../lib/data/resize.js';
import { memoryStats } from '../../lib/tensor/create.js';
import { datasetOf, noise } from '../support/images.js';
import { failure } from '../support/outcome.js';

const size = { width: 12, height: 10 };

/** Writes a PNG of generated noise. */
async function png(path: string, name: string, channels: 1 | 3 = 1): Promise<ImageSource> {
  const { data, ...raw } = noise(name, 40, 30, channels);
  await sharp(data, { raw }).png().toFile(path);
  return { kind: 'file', path };
}

/** Three grey images and a coloured one in a fresh folder, and where their cache goes. */
async function images(folder: string): Promise<{ sources: ImageSource[]; cacheDir: string }> {
  const sources: ImageSource[] = [];
  for (const [i, channels] of ([1, 1, 3, 1] as const).entries())
    sources.push(await png(join(folder, `${i}.png`), `image ${i}`, channels));
  return { sources, cacheDir: join(folder, 'cache') };
}

/** What is prepared for each image, by reading it as a batch would. */
async function contents(prepared: PreparedImages): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for (let i = 0; i < prepared.dataset.length; i++) {
    const pixels = await assemble(prepared, Int32Array.of(i), undefined);
    all.push(((await pixels.data()) as Uint8Array).slice());
    pixels.dispose();
  }
  return all;
}

async function expectedOf(sources: readonly ImageSource[]): Promise<Uint8Array[]> {
  const resized = sources.map(async (source) =>
    resizeArea(await decodeImage(source), size.width, size.height),
  );
  return (await Promise.all(resized)).map(({ data }) => data);
}

async function prepareAndCheck(
  t: Test,
  sources: readonly ImageSource[],
  options: Partial<PrepareOptions>,
  [decoded, reused]: readonly [number, number],
  what: string,
): Promise<string | undefined> {
  const prepared = await prepareImages(datasetOf(sources), { ...size, ...options });
  t.same([prepared.decoded, prepared.reused], [decoded, reused], `${what}: decoded and reused`);
  t.same(await contents(prepared), await expectedOf(sources), `${what}: pixels`);
  prepared.dispose();
  return prepared.distrust;
}

async function cacheFiles(cacheDir: string): Promise<{ folder: string; pixels: string[]; index: string }> {
  const [name] = await readdir(cacheDir);
  const folder = join(cacheDir, name as string);
  const pixels = (await readdir(folder))
    .filter((file) => file.startsWith('pixels-'))
    .map((file) => join(folder, file));
  return { folder, pixels, index: join(folder, 'index.json') };
}

t.test('images are decoded once and found again', async (t) => {
  const { sources, cacheDir } = await images(t.testdir());
  await prepareAndCheck(t, sources, { cacheDir }, [4, 0], 'first');
  await prepareAndCheck(t, sources, { cacheDir }, [0, 4], 'second');
  await prepareAndCheck(t, [...sources].reverse(), { cacheDir }, [0, 4], 'in another order');
  await prepareAndCheck(t, [...sources, ...sources], { cacheDir }, [0, 8], 'named twice');
  const { pixels } = await cacheFiles(cacheDir);
  t.equal(pixels.length, 1);
  t.equal((await stat(pixels[0] as string)).size, 120 * (1 + 1 + 3 + 1), 'grey takes a third of colour');
});

t.test('without a folder they are kept in memory', async (t) => {
  const { sources, cacheDir } = await images(t.testdir());
  await prepareAndCheck(t, sources, {}, [4, 0], 'memory');
  await prepareAndCheck(t, [...sources, ...sources], {}, [4, 4], 'named twice');
  await t.rejects(stat(cacheDir), { code: 'ENOENT' });
});

t.test('only what changed is decoded again', async (t) => {
  const folder = t.testdir();
  const { sources, cacheDir } = await images(folder);
  await prepareAndCheck(t, sources, { cacheDir }, [4, 0], 'first');
  await png(join(folder, '1.png'), 'another image');
  await prepareAndCheck(t, sources, { cacheDir }, [1, 3], 'one rewritten');
  sources.push(await png(join(folder, '4.png'), 'new'));
  await prepareAndCheck(t, sources, { cacheDir }, [1, 4], 'one added');
  await utimes(join(folder, '2.png'), new Date(), new Date());
  await prepareAndCheck(t, sources, { cacheDir }, [1, 4], 'one touched');
  await prepareAndCheck(t, sources.slice(0, 2), { cacheDir }, [0, 2], 'some taken away');
  await prepareAndCheck(t, sources, { cacheDir }, [0, 5], 'all again');
});

t.test('an image put in place with size and date of the old one is noticed', async (t) => {
  const folder = t.testdir();
  // Uncompressed, so that both files have the same length.
  const tiff = async (name: string, seed: string) => {
    const { data, ...raw } = noise(seed, 40, 30, 1);
    await sharp(data, { raw }).tiff({ compression: 'none' }).toFile(join(folder, name));
  };
  const when = new Date(2020, 0, 1);
  const source: ImageSource = { kind: 'file', path: join(folder, 'a.tiff') };
  const replaceBy = async (name: string) => {
    await rename(join(folder, name), source.path);
    await utimes(source.path, when, when);
  };
  const cacheDir = join(folder, 'cache');
  await tiff('old.tiff', 'old');
  await cp(join(folder, 'old.tiff'), join(folder, 'copy.tiff'));
  await replaceBy('old.tiff');
  await prepareAndCheck(t, [source], { cacheDir }, [1, 0], 'first');
  const before = await stat(source.path);
  await tiff('new.tiff', 'new');
  await replaceBy('new.tiff');
  const { size: bytes, mtimeMs } = await stat(source.path);
  t.same([bytes, mtimeMs], [before.size, before.mtimeMs], 'size and date do not betray it');
  await prepareAndCheck(t, [source], { cacheDir }, [1, 0], 'replaced');
  await replaceBy('copy.tiff');
  await prepareAndCheck(t, [source], { cacheDir }, [1, 0], 'and back');
  await rename(source.path, join(folder, 'elsewhere.tiff'));
  await replaceBy('elsewhere.tiff');
  await prepareAndCheck(t, [source], { cacheDir }, [0, 1], 'moved to and fro it is the same');
});

t.test('another size has its own files', async (t) => {
  const { sources, cacheDir } = await images(t.testdir());
  await prepareAndCheck(t, sources, { cacheDir }, [4, 0], 'first');
  const larger = await prepareImages(datasetOf(sources), { width: 16, height: 16, cacheDir });
  t.equal(larger.decoded, 4);
  larger.dispose();
  await prepareAndCheck(t, sources, { cacheDir }, [0, 4], 'first size again');
});

t.test('another interpolation has its own files', async (t) => {
  const { sources, cacheDir } = await images(t.testdir());
  await prepareAndCheck(t, sources, { cacheDir }, [4, 0], 'by area');
  const [first] = sources as [ImageSource];
  for (const interpolation of ['pillow-bilinear', 'opencv-bilinear'] as const) {
    using store = await prepareImages(datasetOf([first]), { ...size, cacheDir, interpolation });
    t.equal(store.decoded, 1, interpolation);
    const pixels = await assemble(store, Int32Array.of(0), undefined);
    const expected = await resizeImage(await decodeImage(first), size.width, size.height, interpolation);
    t.same(await pixels.data(), expected.data);
    pixels.dispose();
    using again = await prepareImages(datasetOf([first]), { ...size, cacheDir, interpolation });
    t.equal(again.reused, 1);
  }
});

t.test('images in memory are known by their content', async (t) => {
  const folder = t.testdir();
  const file = await png(join(folder, 'a.png'), 'bytes');
  const bytes = await readFile((file as { path: string }).path);
  let made = 0;
  const pixels = (seed: string): ImageSource => ({
    kind: 'pixels',
    name: 'the same name',
    pixels: () => {
      made++;
      return noise(seed, 40, 30, 1);
    },
  });
  const cacheDir = join(folder, 'cache');
  const sources: ImageSource[] = [{ kind: 'bytes', name: 'upload', bytes }, pixels('one'), pixels('two')];
  const first = await prepareImages(datasetOf(sources), { ...size, cacheDir });
  t.equal(made, 2, 'each is made once');
  first.dispose();
  await prepareAndCheck(t, sources, { cacheDir }, [0, 3], 'again');
  await prepareAndCheck(t, [pixels('three')], { cacheDir }, [1, 0], 'other pixels of that name');
});

t.test('torn or meddled caches are not trusted', async (t) => {
  const { sources, cacheDir } = await images(t.testdir());
  await prepareAndCheck(t, sources, { cacheDir }, [4, 0], 'first');
  const { folder, pixels, index } = await cacheFiles(cacheDir);
  const file = pixels[0] as string;
  const goodIndex = await readFile(index);
  const goodPixels = await readFile(file);
  const restore = async () => {
    await rm(folder, { recursive: true });
    await mkdir(folder);
    await writeFile(index, goodIndex);
    await writeFile(file, goodPixels);
  };

  for (const keep of [0, 1, 40, goodIndex.length - 1]) {
    await restore();
    await truncate(index, keep);
    t.match(await prepareAndCheck(t, sources, { cacheDir }, [4, 0], `index cut to ${keep}`), /torn/);
  }
  await restore();
  await writeFile(index, goodIndex.toString().replace(/"bytes":\d+/, '"bytes":1'));
  t.match(await prepareAndCheck(t, sources, { cacheDir }, [4, 0], 'index edited'), /torn/);

  await restore();
  await rm(file);
  t.match(await prepareAndCheck(t, sources, { cacheDir }, [4, 0], 'pixels gone'), /4 records .* missing/);

  await restore();
  await truncate(file, goodPixels.length - 1);
  const cut = await prepareImages(datasetOf(sources), { ...size, cacheDir });
  t.same([cut.decoded, cut.reused], [1, 3], 'only the record that was cut is made again');
  t.same(await contents(cut), await expectedOf(sources));
  cut.dispose();

  await restore();
  const flipped = Buffer.from(goodPixels);
  flipped[7] = (flipped[7] as number) ^ 1;
  await writeFile(file, flipped);
  t.match(await prepareAndCheck(t, sources, { cacheDir }, [1, 3], 'a bit flipped'), /1 records .* damaged/);

  await restore();
  t.equal(await prepareAndCheck(t, sources, { cacheDir }, [0, 4], 'copied whole'), undefined);
  await appendFile(file, 'left by a build that was killed');
  t.equal(
    await prepareAndCheck(t, sources, { cacheDir }, [0, 4], 'with a tail that no index names'),
    undefined,
  );
});

t.test('files that nothing refers to any more are removed, but not those of a build under way', async (t) => {
  const folder = t.testdir();
  const { sources, cacheDir } = await images(folder);
  await prepareAndCheck(t, sources, { cacheDir }, [4, 0], 'first');
  const { folder: inside } = await cacheFiles(cacheDir);
  const fresh = join(inside, 'pixels-0000000000000001.bin');
  const stale = join(inside, 'pixels-0000000000000002.bin');
  for (const file of [fresh, stale]) await writeFile(file, 'x');
  const longAgo = new Date(Date.now() - 48 * 3600 * 1000);
  await utimes(stale, longAgo, longAgo);
  for (const i of [0, 1, 2, 3]) await png(join(folder, `${i}.png`), `replaced ${i}`);
  await prepareAndCheck(t, sources, { cacheDir }, [4, 0], 'all replaced');
  const { pixels } = await cacheFiles(cacheDir);
  t.equal(pixels.length, 2, 'the new file and the one of the other build');
  t.ok(pixels.includes(fresh));
});

t.test('two builds at once cost each other nothing', async (t) => {
  const folder = t.testdir();
  const { sources, cacheDir } = await images(folder);
  const halves = [sources.slice(0, 2), sources.slice(2)];
  const built = await Promise.all(
    halves.map((half) => prepareImages(datasetOf(half), { ...size, cacheDir })),
  );
  for (const [i, prepared] of built.entries()) {
    t.same(await contents(prepared), await expectedOf(halves[i] as ImageSource[]));
    prepared.dispose();
  }
  await prepareAndCheck(t, sources, { cacheDir }, [0, 4], 'both');
});

t.test('a bad image ends the work or is left out', async (t) => {
  const folder = t.testdir();
  const { sources, cacheDir } = await images(folder);
  await writeFile(join(folder, 'bad.png'), 'not an image');
  const bad: ImageSource = { kind: 'file', path: join(folder, 'bad.png') };
  const missing: ImageSource = { kind: 'file', path: join(folder, 'missing.png') };
  const mixed = [sources[0], bad, sources[1], missing, sources[2]] as ImageSource[];

  const thrown = await failure(prepareImages(datasetOf(mixed), { ...size, cacheDir, concurrency: 1 }));
  t.equal(thrown.code, 'ERR_IMAGE');
  t.match(thrown.message, /bad\.png.*sample 1 of made; made\.csv, line 3/);
  t.match(thrown.details, { id: 'sample 1', index: 1, file: bad.path });

  const prepared = await prepareImages(datasetOf(mixed), { ...size, cacheDir, onError: 'skip' });
  t.equal(prepared.reused, 1, 'what was done before the error is not lost');
  t.same(
    prepared.skipped.map(({ index, id, image, error }) => [index, id, image, error.code]),
    [
      [1, 'sample 1', bad.path, 'ERR_IMAGE'],
      [3, 'sample 3', missing.path, 'ERR_FILE'],
    ],
  );
  t.match(prepared.skipped[1]?.error.message, /missing\.png.*line 5/);
  t.equal(prepared.dataset.length, 3);
  t.same(
    [0, 1, 2].map((i) => [prepared.dataset.sample(i).id, prepared.dataset.origin?.(i)]),
    [
      ['sample 0', 'made.csv, line 2'],
      ['sample 2', 'made.csv, line 4'],
      ['sample 4', 'made.csv, line 6'],
    ],
  );
  t.same(await contents(prepared), await expectedOf([mixed[0], mixed[2], mixed[4]] as ImageSource[]));
  prepared.dispose();

  const budget = await failure(
    prepareImages(datasetOf(mixed), { ...size, cacheDir, onError: 'skip', maxSkipped: 1 }),
  );
  t.equal(budget.code, 'ERR_DATASET');
  t.match(budget.message, /more than 1/);
  t.equal(
    (await failure(prepareImages(datasetOf([bad, missing]), { ...size, onError: 'skip' }))).code,
    'ERR_DATASET',
  );
  const thief: ImageSource = {
    kind: 'pixels',
    name: 'thief',
    pixels: () => {
      throw new TypeError('a mistake of the caller');
    },
  };
  await t.rejects(prepareImages(datasetOf([thief]), { ...size, onError: 'skip' }), TypeError);
});

t.test('a cache that cannot be written is not taken for a bad image', async (t) => {
  const folder = t.testdir({ cache: 'a file where the folder should be' });
  const { sources } = await images(folder);
  const error = await failure(
    prepareImages(datasetOf(sources), { ...size, cacheDir: join(folder, 'cache'), onError: 'skip' }),
  );
  t.equal(error.code, 'ERR_FILE');
  t.match(error.message, /cache/);
});

t.test('aborted work keeps what it has done', async (t) => {
  const { sources, cacheDir } = await images(t.testdir());
  const controller = new AbortController();
  const onProgress = ({ done }: PrepareProgress) => done === 2 && controller.abort(new Error('enough'));
  const error = await failure(
    prepareImages(datasetOf(sources), {
      ...size,
      cacheDir,
      concurrency: 1,
      signal: controller.signal,
      onProgress: (progress) => void onProgress(progress),
    }),
  );
  t.equal(error.code, 'ERR_ABORTED');
  t.equal((error.cause as Error).message, 'enough');
  await prepareAndCheck(t, sources, { cacheDir }, [2, 2], 'continued');
  const early = await failure(prepareImages(datasetOf(sources), { ...size, signal: AbortSignal.abort() }));
  t.equal(early.code, 'ERR_ABORTED');
});

t.test('a build that is killed disturbs nobody', async (t) => {
  const { sources, cacheDir } = await images(t.testdir());
  await prepareAndCheck(t, sources.slice(0, 1), { cacheDir }, [1, 0], 'before');
  const module = new URL('../../lib/data/prepare.js', import.meta.url).href;
  const program = `
    import { prepareImages } from ${JSON.stringify(module)};
    const sources = ${JSON.stringify(sources)};
    const dataset = { name: 'made', classes: ['a'], length: 4, sample: (i) => ({ id: String(i), label: 0, image: sources[i] }) };
    const onProgress = ({ done }) => { if (done === 3) process.kill(process.pid, 'SIGKILL'); };
    await prepareImages(dataset, { width: 12, height: 10, cacheDir: ${JSON.stringify(cacheDir)}, concurrency: 1, onProgress });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  t.equal(signal, 'SIGKILL');
  t.equal((await cacheFiles(cacheDir)).pixels.length, 2, 'its file lies there');
  await prepareAndCheck(t, sources, { cacheDir }, [3, 1], 'after');
  await prepareAndCheck(t, sources, { cacheDir }, [0, 4], 'and found again');
});

t.test('progress counts every image', async (t) => {
  const { sources, cacheDir } = await images(t.testdir());
  const seen: PrepareProgress[] = [];
  const options = { ...size, cacheDir, onProgress: (progress: PrepareProgress) => void seen.push(progress) };
  (await prepareImages(datasetOf(sources), options)).dispose();
  t.same(
    seen.map(({ done }) => done),
    [1, 2, 3, 4],
  );
  t.same(seen[3], { done: 4, total: 4, decoded: 4, reused: 0, skipped: 0 });
});

t.test('disposed images are not read', async (t) => {
  const { sources, cacheDir } = await images(t.testdir());
  for (const options of [{ cacheDir }, {}]) {
    const prepared = await prepareImages(datasetOf(sources), { ...size, ...options });
    const begun = assemble(prepared, Int32Array.of(0, 1, 2, 3), undefined);
    prepared.dispose();
    prepared.dispose();
    t.equal((await failure(assemble(prepared, Int32Array.of(0), undefined))).code, 'ERR_DISPOSED');
    const pixels = await begun.catch(() => undefined);
    pixels?.dispose();
  }
  t.equal(memoryStats().liveTensors, 0);
});

t.test('a cache cut short while it is open is an error, not a crash', async (t) => {
  const { sources, cacheDir } = await images(t.testdir());
  const prepared = await prepareImages(datasetOf(sources), { ...size, cacheDir });
  const { pixels } = await cacheFiles(cacheDir);
  await truncate(pixels[0] as string, 10);
  const error = await failure(assemble(prepared, Int32Array.of(0, 1, 2, 3), undefined));
  t.equal(error.code, 'ERR_FILE');
  t.match(error.message, /cut short/);
  prepared.dispose();
});

t.test('wrong use', async (t) => {
  const dataset = datasetOf([{ kind: 'pixels', name: 'x', pixels: (): Pixels => noise('x', 4, 4, 1) }]);
  const invalid = { code: 'ERR_INVALID_ARGUMENT' };
  const wrong: Record<string, unknown>[] = [
    { width: 0 },
    { height: 16385 },
    { concurrency: 0 },
    { onError: 'ignore' },
    { maxSkipped: -1 },
    { cacheDir: '' },
    { limits: { maxPixel: 3 } },
    { cachedir: 'x' },
    { onProgress: 5 },
    { signal: 'stop' },
  ];
  for (const options of wrong)
    t.throws(
      () => prepareImages(dataset, { ...size, ...options } as PrepareOptions),
      invalid,
      JSON.stringify(options),
    );
  t.throws(() => prepareImages(datasetOf([]), size), invalid, 'an empty data set');
});
