/** The set-up scripts, typed for tests: they are plain JavaScript outside of the compiled library. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './paths.js';

export interface LibTorch {
  readonly folder: string;
  readonly version: string;
  readonly minor: number;
  readonly cuda: boolean;
  readonly source: string;
}

export interface SearchOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly log?: (line: string) => void;
  readonly fetch?: boolean;
}

export interface LibTorchScript {
  inspect(folder: string): Omit<LibTorch, 'source'> | string;
  findLibTorch(options: SearchOptions): { found: LibTorch | null; tried: string[] };
  ensureLibTorch(options: SearchOptions): Promise<LibTorch>;
  cacheFolder(env: NodeJS.ProcessEnv): string;
}

export interface Artifact {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface Pinned {
  readonly version: string;
  readonly index: string;
  readonly wheel: Artifact;
  readonly archive: Artifact & { readonly url: string };
}

export interface FetchScript {
  readonly PINNED: Pinned;
  cachedFolder(cache: string, pinned?: Pinned): { folder: string; problem: string | null };
  fetchLibTorch(options: {
    readonly cache: string;
    readonly env: NodeJS.ProcessEnv;
    readonly log: (line: string) => void;
    readonly remedy: readonly string[];
    readonly pinned: Pinned;
  }): Promise<string>;
}

/** Imports `scripts/<name>`. */
export async function script<T>(name: string): Promise<T> {
  return (await import(pathToFileURL(path.join(root, 'scripts', name)).href)) as T;
}

/** The files of a LibTorch as far as set-up looks at them, by their path. */
export function fakeLibTorch(version: string): Record<string, string> {
  return {
    'include/ATen/ATen.h': '#pragma once\n',
    'include/torch/csrc/api/include/torch/types.h': '#pragma once\n',
    'lib/libtorch.so': 'torch',
    'lib/libtorch_cpu.so': 'torch_cpu, the large one',
    'lib/libc10.so': 'c10',
    'version.py': `__version__ = '${version}'\n`,
  };
}

/** Writes files below a folder and returns the folder. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return folder;
}

/** A folder for `PATH` that holds these shell scripts and nothing else. */
export function programs(folder: string, scripts: Readonly<Record<string, string>>): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, body] of Object.entries(scripts)) {
    const file = path.join(folder, name);
    writeFileSync(file, `#!/bin/sh\n${body}\n`);
    chmodSync(file, 0o755);
  }
  return folder;
}
