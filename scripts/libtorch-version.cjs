/**
 * Reads a LibTorch's version. CommonJS, because lib/native.ts needs it synchronously, at the first native call.
 */
'use strict';

const { readFileSync } = require('node:fs');
const path = require('node:path');

/**
 * @param {string} file
 * @returns {string | null} null where it cannot be read
 */
function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/**
 * The version of a LibTorch folder: PyTorch's wheels keep it in `version.py`, its archives in `build-version`, and both
 * without the `+cpu` in a header.
 *
 * @param {string} folder
 * @returns {string | null}
 */
function versionOf(folder) {
  const wheel = /^__version__ = ['"]([^'"]+)['"]/m.exec(readText(path.join(folder, 'version.py')) ?? '');
  if (wheel?.[1] !== undefined) return wheel[1];
  const archive = readText(path.join(folder, 'build-version'))?.trim();
  if (archive !== undefined && /^\d+\.\d+\.\d+/.test(archive)) return archive;
  for (const header of ['torch/headeronly/version.h', 'torch/csrc/api/include/torch/version.h']) {
    const text = readText(path.join(folder, 'include', header)) ?? '';
    const parts = ['MAJOR', 'MINOR', 'PATCH'].map(
      (part) => new RegExp(`#define TORCH_VERSION_${part} (\\d+)`).exec(text)?.[1],
    );
    if (parts.every((part) => part !== undefined)) return parts.join('.');
  }
  return null;
}

module.exports = { versionOf };
