/**
 * The whole set-up of a checkout: npm packages, LibTorch, the addon, the compiled TypeScript. Each step looks whether
 * there is anything to do, so that it can stand before every `npm start` and `npm test`, without a network too.
 * Imports nothing but Node's own modules and the scripts beside it: it begins where node_modules is not yet there.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build, packageRoot } from './build.mjs';
import { failScript, SetupError } from './errors.mjs';

const log = (/** @type {string} */ line) => process.stdout.write(`${line}\n`);

/** Refuses a Node that is too old for the language of the library, before it fails on the syntax. */
function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new SetupError(`Expected Node 20.19 or later but this is ${process.versions.node}.`, {
    remedy: ['install Node 24, for example from https://nodejs.org'],
  });
}

/**
 * @typedef {{ version?: string, optional?: boolean, devOptional?: boolean, peer?: boolean }} Locked
 */

/**
 * @param {string} file
 * @returns {Record<string, Locked> | null}
 */
function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? null;
  } catch {
    return null;
  }
}

/**
 * Whether node_modules holds what package-lock.json asks for, by the record that npm keeps there.
 *
 * @param {string} root
 * @returns {string | null} what is missing or different
 */
export function packagesProblem(root) {
  const wanted = lockedPackages(path.join(root, 'package-lock.json'));
  if (wanted === null) return null; // an installed package: its user's npm has seen to the dependencies
  const found = lockedPackages(path.join(root, 'node_modules', '.package-lock.json'));
  if (found === null) return 'node_modules is missing or was not made by npm';
  for (const [name, entry] of Object.entries(wanted)) {
    // What is optional may be left out on this machine (the binaries of other systems).
    const present = found[name];
    if (name === '' || (present === undefined && (entry.optional || entry.devOptional))) continue;
    if (present?.version !== entry.version) {
      return `${name} ${entry.version} is wanted, ${present?.version ?? 'nothing'} is there`;
    }
  }
  return null;
}

/** @param {string} root */
function installPackages(root) {
  const problem = packagesProblem(root);
  if (problem === null) {
    log('npm packages: up to date');
    return;
  }
  log(`npm packages: ${problem}; running npm ci`);
  const args = ['ci', '--no-audit', '--no-fund', '--include=dev', '--include=optional'];
  // The npm that runs this script, where one does: another on the path may be too old for the lock file.
  const npm = process.env.npm_execpath;
  const script = npm !== undefined && /npm-cli\.[cm]?js$/.test(npm);
  const [command, before] = script ? [process.execPath, [npm]] : ['npm', []];
  const shell = !script && process.platform === 'win32';
  const result = spawnSync(command, [...before, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell,
  });
  if (result.status === 0) return;
  throw new SetupError(`npm ci failed (${result.error?.message ?? `status ${result.status}`}).`, {
    remedy: ['the reason is above; without a network npm needs a filled cache (npm ci --prefer-offline)'],
  });
}

/**
 * Removes compiled files whose source is gone: the test runner would run the test of a file deleted long ago.
 *
 * @param {string} root
 * @param {'lib' | 'test'} part
 */
function removeOrphans(root, part) {
  const dist = path.join(root, 'dist', part);
  if (!existsSync(dist)) return;
  for (const file of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    const stem = /^(.+)\.(?:js|js\.map|d\.ts|d\.ts\.map)$/.exec(file)?.[1];
    if (stem === undefined || existsSync(path.join(root, part, `${stem}.ts`))) continue;
    log(`TypeScript: removing ${path.join('dist', part, file)}, whose source is gone`);
    rmSync(path.join(dist, file));
  }
}

/**
 * @param {string} root
 * @param {'.' | 'test'} project `.`: the library alone; `test`: with its tests
 */
function compile(root, project) {
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const result = spawnSync(process.execPath, [tsc, '-b', project], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (result.status !== 0) throw new SetupError('the TypeScript compiler found errors (above).');
  removeOrphans(root, 'lib');
  removeOrphans(root, 'test');
  log(`TypeScript: compiled${project === '.' ? ' (library)' : ''}`);
}

async function main() {
  const { values } = parseArgs({
    options: {
      'typescript-only': { type: 'boolean', default: false },
      'no-fetch': { type: 'boolean', default: false },
    },
  });
  checkNode();
  installPackages(packageRoot);
  if (!values['typescript-only']) await build({ log, fetch: !values['no-fetch'] });
  compile(packageRoot, values['typescript-only'] ? '.' : 'test');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main().catch(failScript);
}
