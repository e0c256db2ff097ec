/**
 * What a user gets: packs the package, looks at what is in it, installs it into an empty folder, builds the addon there
 * with the package's own command, and predicts from a strict TypeScript program and from a short JavaScript file.
 *
 * The folder is kept where something fails, and with `--keep`.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);
const programs = fileURLToPath(new URL('pack', import.meta.url));

let passed = 0;
/** @type {string[]} */
const failures = [];

/**
 * @param {string} name
 * @param {string | null} problem
 */
function report(name, problem) {
  if (problem === null) passed += 1;
  else failures.push(`${name}: ${problem}`);
  process.stdout.write(
    `${problem === null ? 'passed' : 'FAILED'} ${name}${problem === null ? '' : `: ${problem}`}\n`,
  );
}

/**
 * Runs a program where its user would.
 *
 * @param {string} name
 * @param {string} cwd
 * @param {readonly string[]} command
 * @param {{ status?: number, output?: RegExp }} [expected] by default status 0
 * @returns {boolean}
 */
function run(name, cwd, command, { status = 0, output } = {}) {
  const [program = '', ...args] = command;
  // What npm hands to its scripts (the checkout's own folders among it) is not there for a user.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !/^(npm_|INIT_CWD$)/i.test(key)),
  );
  process.stdout.write(`$ ${command.join(' ')}\n`);
  const result = spawnSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    shell: process.platform === 'win32',
  });
  const text = `${result.stdout ?? ''}${result.stderr ?? ''}`;
  process.stdout.write(text);
  if (result.status !== status)
    report(name, `ended with ${result.status ?? result.signal ?? result.error?.message}, expected ${status}`);
  else if (output !== undefined && !output.test(text)) report(name, `expected output like ${output}`);
  else report(name, null);
  return result.status === status;
}

/** Everything in the tarball lies in one of these places; what is not named here is not meant to be shipped. */
const allowed =
  /^package\/(package\.json|README\.md|LICENSE|CHANGELOG\.md|binding\.gyp|CMakeLists\.txt|dist\/lib\/.+\.(js|d\.ts|json)|native\/.+\.(cc|cu|cuh|h|cmake)|scripts\/[^/]+\.[cm]js|docs\/[^/]+\.md|examples\/[^/]+\.mjs)$/;
const needed = [
  ...['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'binding.gyp', 'CMakeLists.txt'],
  ...[
    'dist/lib/index.js',
    'dist/lib/index.d.ts',
    'dist/lib/cli/main.js',
    'native/addon.cc',
    'scripts/build.mjs',
    'docs/getting-started.md',
    'examples/serve.mjs',
  ],
];

/** @param {string} tarball */
function checkContents(tarball) {
  const listed = spawnSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).stdout.trim().split('\n');
  const stray = listed.filter((name) => !allowed.test(name));
  report(
    'nothing is packed that is not meant to be',
    stray.length === 0 ? null : stray.slice(0, 10).join(', '),
  );
  // A file whose source has gone is still in the folder of the compiled ones.
  const stale = listed.filter((name) => {
    const source = /^package\/dist\/(lib\/.+)\.js$/.exec(name)?.[1];
    return source !== undefined && !existsSync(path.join(root, `${source}.ts`));
  });
  report(
    'nothing is packed whose source has gone',
    stale.length === 0 ? null : `${stale.join(', ')}: remove dist and build again`,
  );
  const missing = needed.filter((name) => !listed.includes(`package/${name}`));
  report('nothing is missing', missing.length === 0 ? null : missing.join(', '));
}

/** @param {string} name */
function versionOf(name) {
  return JSON.parse(readFileSync(require.resolve(`${name}/package.json`), 'utf8')).version;
}

/** @param {string} home */
async function testIn(home) {
  if (!run('npm pack', root, ['npm', 'pack', '--pack-destination', home])) return;
  const file = readdirSync(home).find((name) => name.endsWith('.tgz'));
  if (file === undefined) return report('tarball', 'npm pack left none');
  checkContents(path.join(home, file));
  run('publint', root, [
    process.execPath,
    path.join(root, 'node_modules/publint/src/cli.js'),
    path.join(home, file),
    '--strict',
  ]);

  writeFileSync(path.join(home, 'package.json'), '{ "name": "user", "private": true, "type": "module" }\n');
  const wanted = [`./${file}`, ...['typescript', '@types/node'].map((name) => `${name}@${versionOf(name)}`)];
  const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'];
  if (!run('npm install', home, ['npm', 'install', ...flags, ...wanted])) return;

  run(
    'import without the addon',
    home,
    [process.execPath, '-e', "import('cxr-gaze').then((m) => console.log(typeof m.GazeLT))"],
    {
      output: /function/,
    },
  );
  run('doctor before the build', home, ['npx', 'cxr-gaze', 'doctor'], {
    status: 1,
    output: /npx cxr-gaze build/,
  });
  if (!run('build', home, ['npx', 'cxr-gaze', 'build'])) return;
  run('build again', home, ['npx', 'cxr-gaze', 'build'], { output: /up to date/ });
  run('doctor', home, ['npx', 'cxr-gaze', 'doctor'], { output: /cxr-gaze is ready/ });

  cpSync(programs, home, { recursive: true });
  const pixels = Buffer.from(Array.from({ length: 256 * 256 }, (_, i) => (i % 256) ^ (i >> 8)));
  await sharp(pixels, { raw: { width: 256, height: 256, channels: 1 } })
    .png()
    .toFile(path.join(home, 'film.png'));
  const compilerOptions = {
    ...{
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
    },
    ...{
      target: 'es2022',
      module: 'nodenext',
      lib: ['es2023', 'esnext.disposable'],
      types: ['node'],
      outDir: 'out',
    },
  };
  writeFileSync(path.join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  run('a strict TypeScript program compiles', home, ['npx', 'tsc', '-p', '.']);
  run('a strict TypeScript program predicts', home, [process.execPath, 'out/program.js'], {
    output: /: [01]\.\d{3} \(not for/,
  });
  run('a short JavaScript file predicts', home, [process.execPath, 'predict.mjs'], {
    output: /: [01]\.\d{3} \(not for/,
  });
}

const home = mkdtempSync(path.join(os.tmpdir(), 'cxr-gaze-pack-'));
await testIn(home);
if (failures.length === 0 && !process.argv.includes('--keep')) rmSync(home, { recursive: true });
else process.stdout.write(`kept: ${home}\n`);
for (const failure of failures) process.stdout.write(`${failure}\n`);
process.stdout.write(`${passed} passed, ${failures.length} failed\n`);
process.exitCode = failures.length === 0 ? 0 : 1;
