/** The code of README and guides: TypeScript is compiled under the strictest settings, and what is marked `run` runs. */
import { Console } from 'node:console';
import { copyFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import ts from 'typescript';
import { writePhantoms } from '../../lib/data/phantom/write.js';
import { GazeLT } from '../../lib/systems/gazelt/gazelt.js';
import { cli } from '../support/cli.js';
import { allBlocks, type Block, blocksOf, promised } from './blocks.js';

/** Channels of the first stage in place of the 64 that the guides train. */
const width = 16;

const fixtureClasses = ['No Finding', 'Effusion', 'Hernia'];

/** What the guides' programs find around them. */
async function furnish(folder: string): Promise<void> {
  const data = path.join(folder, 'data');
  await writePhantoms(data, { seed: 4, size: 64, train: 12, valPerClass: 1, testPerClass: 1, test: 9 });
  // The tables of the guides name images below `images`.
  await rename(path.join(data, 'images'), path.join(folder, 'images'));
  await mkdir(path.join(folder, 'images', 'images'));
  const films = (await readdir(path.join(folder, 'images'))).filter((name) => name.endsWith('.png'));
  for (const name of films)
    await rename(path.join(folder, 'images', name), path.join(folder, 'images', 'images', name));
  await writeFile(path.join(folder, 'labels.csv'), await readFile(path.join(data, 'labels.csv')));
  await copyFile(path.join(data, 'gaze', 'fixations.csv'), path.join(folder, 'fixations.csv'));
  await copyFile(path.join(folder, 'images', 'images', films[0] as string), path.join(folder, 'film.png'));

  const network = { architecture: 'resnet18', imageSize: 32, width } as const;
  const small = { classes: fixtureClasses, init: 'random', ...network } as const;
  const model = await GazeLT.create(small);
  await mkdir(path.join(folder, 'runs'));
  await model.save(path.join(folder, 'runs', 'quickstart'));
  model.dispose();
  // A backbone as it is published: a guide tells its shapes.
  const published = { ...small, width: 64, head: 'linear', classes: ['a', 'b'] } as const;
  const backbone = await GazeLT.create(published);
  await backbone.save(path.join(folder, 'backbone'));
  backbone.dispose();
  await copyFile(path.join(folder, 'backbone', 'model.safetensors'), path.join(folder, 'resnet50.pth'));
}

/** The settings of a night's training, brought down to those of a test. */
function shrink(code: string): string {
  return code
    .replace(/imageSize: \d+/g, 'imageSize: 32')
    .replace(/size: 128, train: 800/g, 'size: 64, train: 12, valPerClass: 1, testPerClass: 1, test: 0')
    .replace(/batchSize: \d+/g, 'batchSize: 9')
    .replace(/maxEpochs: \d+/g, 'maxEpochs: 1')
    .replace(/(init: \{ weights: 'resnet50.pth' \}) \}/g, '$1, imageSize: 32 }')
    .replace(/architecture: 'resnet18'(?!.*\bwidth: \d)/g, `architecture: 'resnet18', width: ${width}`)
    .replace(/init: \{ weights/g, "architecture: 'resnet18', init: { weights");
}

/** A shell block's commands: ours, with the settings of a night's training brought down as well. */
function commandsOf(code: string): string[][] {
  return code
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.startsWith('npx cxr-gaze '))
    .map((line) =>
      line
        .replace(/--image_size \d+/, '--image_size 32')
        .replace(/--model_name resnet18/, `--model_name resnet18 --width ${width}`)
        .replace(/--max_epochs \d+/, '--max_epochs 1')
        .replace(/--batch_size \d+/, '--batch_size 9')
        .trim()
        .split(/\s+/)
        .slice(2),
    );
}

const compilerOptions: ts.CompilerOptions = {
  ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: true },
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  types: ['node'],
};

/** Compiles programs beside their sources; what the compiler says of them. */
function compile(files: readonly string[]): string[] {
  const program = ts.createProgram(files, compilerOptions);
  program.emit();
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, start, messageText }) =>
        `${file ? path.basename(file.fileName) : ''}:${file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : ''}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    );
}

/**
 * Runs a program in this process, where the library is loaded already.
 *
 * @returns what it prints, and its error where it fails
 */
async function run(folder: string, name: string): Promise<{ printed: string; failure?: unknown }> {
  const [home, before] = [process.cwd(), globalThis.console];
  const stream = new PassThrough();
  const printed = text(stream);
  process.chdir(folder);
  globalThis.console = new Console(stream);
  let failed: { failure?: unknown } = {};
  try {
    await import(pathToFileURL(path.join(folder, name)).href);
  } catch (failure) {
    failed = { failure };
  } finally {
    globalThis.console = before;
    process.chdir(home);
    stream.end();
  }
  return { printed: await printed, ...failed };
}

/** A program that counts tensors must not see those of an earlier one being collected. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  // Native handles are let go of in turns of the event loop that follow.
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

function nameOf({ file, line }: Block): string {
  return `${path.basename(file, '.md').toLowerCase()}-${line}`;
}

t.test('blocks are found as they are written', async (t) => {
  const text = 'a\n```ts run\nx; // → 1\n```\n```sh\nls\n```\n';
  t.strictSame(blocksOf('a.md', text), [
    { file: 'a.md', line: 2, language: 'ts', runs: true, code: 'x; // → 1' },
    { file: 'a.md', line: 5, language: 'sh', runs: false, code: 'ls' },
  ]);
  t.strictSame(promised('a; // → 1 2\nb;\nc // → x'), ['1 2', 'x']);
  t.throws(() => blocksOf('a.md', '```ts\nx'), /a.md:1: this block is not closed/);
});

// Within the package, so that `cxr-gaze` is this package.
const folder = t.testdir();
t.before(() => furnish(folder));

t.test('the code of README and guides compiles and does what it says', async (t) => {
  const programs = (await allBlocks()).filter(({ language }) => language === 'ts' || language === 'js');
  t.ok(programs.filter(({ runs }) => runs).length >= 12, 'the guides hold programs');
  const typed: string[] = [];
  for (const block of programs) {
    const file = path.join(folder, `${nameOf(block)}.${block.language === 'ts' ? 'mts' : 'mjs'}`);
    if (block.language === 'ts') typed.push(file);
    await writeFile(file, `${shrink(block.code)}${block.language === 'ts' ? '\nexport {};' : ''}\n`);
  }
  t.strictSame(compile(typed), [], 'TypeScript accepts the programs');

  // Guides that predict find what the first one has trained.
  const isFirst = ({ file }: Block) => Number(file.endsWith('getting-started.md'));
  const running = programs.filter(({ runs }) => runs).sort((a, b) => isFirst(b) - isFirst(a));
  for (const block of running) {
    if (block.code.includes('memoryStats')) await collectGarbage();
    const cpu = process.cpuUsage();
    const { printed, failure } = await run(folder, `${nameOf(block)}.mjs`);
    t.equal(failure, undefined, `${block.file}, line ${block.line}`);
    const { user, system } = process.cpuUsage(cpu);
    t.comment(`${block.file}, line ${block.line}: ${Math.round((user + system) / 1000)} ms of the processor`);
    const expected = promised(block.code);
    const lines = printed.trimEnd().split('\n');
    if (expected.length > 0)
      t.strictSame(
        lines.filter((line) => expected.includes(line)),
        expected,
        `${block.file}, line ${block.line} prints what it says`,
      );
  }
});

t.test('the command lines that are marked run', async (t) => {
  const blocks = (await allBlocks()).filter(({ language, runs }) => language === 'sh' && runs);
  t.ok(blocks.length >= 1);
  for (const { file, line, code } of blocks) {
    for (const words of commandsOf(code)) {
      const { code: exit, stderr } = await cli(words, folder);
      t.equal(exit, 0, `${file}, line ${line}: ${words.join(' ')}\n${stderr}`);
    }
  }
});
