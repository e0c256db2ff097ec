/** What a machine has of all that the addon needs, what is amiss, and what to do next. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { addonPath, loadFailure, packageRoot, readBuildInfo } from './build.mjs';
import { findLibTorch, inspect, supportedRange } from './libtorch.mjs';
import { checkTools } from './tools.mjs';

/**
 * @typedef {object} Finding
 * @property {string} name what was looked at, such as `LibTorch`
 * @property {'ok' | 'note' | 'problem'} state a note does not stop anything from working
 * @property {string} text what was found
 */

/**
 * @typedef {object} Diagnosis
 * @property {boolean} usable whether numeric work will run
 * @property {Finding[]} findings
 * @property {string[]} next what to do, one line each
 */

/** @param {unknown} error */
function message(error) {
  return error instanceof Error ? error.message : String(error);
}

/** @returns {Finding} */
function node() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  const text = `${process.versions.node} (${process.platform} ${process.arch})${ok ? '' : '; 20.19 or later is needed'}`;
  return { name: 'Node', state: ok ? 'ok' : 'problem', text };
}

/**
 * What the addon, once loaded, says of itself; asked in a process of its own.
 *
 * @param {string} addon
 * @returns {Record<string, unknown> | null}
 */
function askAddon(addon) {
  const script = 'console.log(JSON.stringify(require(process.argv[1]).buildInfo()))';
  const result = spawnSync(process.execPath, ['-e', script, addon], { encoding: 'utf8', timeout: 120_000 });
  if (result.status !== 0) return null;
  try {
    return JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '');
  } catch {
    return null;
  }
}

/**
 * @param {string} root
 * @param {Finding[]} findings added to
 * @returns {'works' | 'missing' | 'broken'}
 */
function addon(root, findings) {
  const file = addonPath(root);
  if (!existsSync(file)) {
    findings.push({ name: 'Addon', state: 'problem', text: `not built (no ${file})` });
    return 'missing';
  }
  const failure = loadFailure(file);
  const info = readBuildInfo(root);
  if (failure !== null) {
    findings.push({ name: 'Addon', state: 'problem', text: `${file} does not load: ${failure}` });
    return 'broken';
  }
  const built = info === null ? '' : `, built with LibTorch ${info.libtorch} and ${info.compiler}`;
  if (info !== null) {
    const now = inspect(info.path);
    if (typeof now === 'string' || now.minor !== info.minor) {
      const what = typeof now === 'string' ? now : `it now holds ${now.version}`;
      findings.push({
        name: 'Addon',
        state: 'problem',
        text: `${file}${built} in ${info.path}, but ${what}`,
      });
      return 'broken';
    }
  }
  findings.push({ name: 'Addon', state: 'ok', text: `${file} loads${built}` });
  const self = askAddon(file);
  if (self !== null) {
    const cuda =
      self.cudaBuilt === true
        ? self.cudaVisible === true
          ? 'built in, a device answers'
          : 'built in, no device answers'
        : 'not in this LibTorch';
    findings.push({ name: 'CUDA', state: 'note', text: cuda });
    findings.push({ name: 'CPU', state: 'note', text: `LibTorch uses ${self.cpuCapability}` });
  }
  return 'works';
}

/**
 * @param {string} root
 * @returns {Promise<Finding>}
 */
async function sharp(root) {
  try {
    const require = createRequire(path.join(root, 'package.json'));
    const { versions } = require('sharp');
    return { name: 'sharp', state: 'ok', text: `${versions.sharp} (libvips ${versions.vips})` };
  } catch (error) {
    return { name: 'sharp', state: 'problem', text: `does not load: ${message(error).split('\n')[0]}` };
  }
}

/**
 * Looks at everything; builds and downloads nothing.
 *
 * @param {{ root?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<Diagnosis>}
 */
export async function diagnose(options = {}) {
  const root = options.root ?? packageRoot;
  const env = options.env ?? process.env;
  /** @type {Finding[]} */
  const findings = [node()];
  /** @type {string[]} */
  const next = [];

  const state = addon(root, findings);

  let toolsMissing = '';
  try {
    const tools = checkTools(env);
    findings.push({ name: 'Compiler', state: 'ok', text: `${tools.compiler}, CMake ${tools.cmake}` });
  } catch (error) {
    toolsMissing = message(error);
    findings.push({ name: 'Compiler', state: state === 'works' ? 'note' : 'problem', text: toolsMissing });
  }

  try {
    const { found, tried } = findLibTorch({ env });
    if (found === null) {
      const text = `none of ${supportedRange()} here (${tried.join('; ')})`;
      findings.push({ name: 'LibTorch', state: 'note', text });
    } else {
      const cuda = found.cuda ? 'with CUDA' : 'without CUDA';
      findings.push({
        name: 'LibTorch',
        state: 'ok',
        text: `${found.version}, ${cuda}, ${found.folder} (${found.source})`,
      });
      const info = readBuildInfo(root);
      if (state === 'works' && info !== null && info.path !== found.folder) {
        next.push(
          `npx cxr-gaze build   # to use LibTorch ${found.version} instead of ${info.libtorch}; optional`,
        );
      }
    }
    if (state !== 'works') {
      if (toolsMissing !== '') next.push('install what the compiler line names');
      next.push(
        `npx cxr-gaze build   # ${found === null ? 'fetches LibTorch (CPU, 183 MiB) and builds' : 'builds'} the addon`,
      );
    }
  } catch (error) {
    findings.push({ name: 'LibTorch', state: state === 'works' ? 'note' : 'problem', text: message(error) });
    next.push('set CXR_GAZE_LIBTORCH to a LibTorch folder, or unset it, and run npx cxr-gaze build');
  }

  const images = await sharp(root);
  findings.push(images);
  if (images.state === 'problem') next.push('npm install --include=optional sharp');

  const usable = state === 'works' && findings.every((finding) => finding.state !== 'problem');
  if (usable)
    next.push(
      'npx cxr-gaze sample --help   # make a set of phantom radiographs',
      'npx cxr-gaze train --help',
    );
  return { usable, findings, next };
}
