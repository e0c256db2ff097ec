/**
 * Writes into package-lock.json the optional packages of other platforms that npm left out.
 *
 * `npm install` drops an optional package that its registry does not carry (a mirror may hold this platform's binaries
 * only), and `npm ci` then refuses the lock file on every machine: "Missing: ... from lock file". Run this after
 * `npm install` where that happens.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../../package-lock.json', import.meta.url));
const lock = JSON.parse(readFileSync(file, 'utf8'));

/**
 * `@biomejs/cli-linux-x64-musl` and the like say in their name where they run. Without these words npm would take them
 * for packages of every platform.
 *
 * @param {string} name
 */
function platformOf(name) {
  const [, os, cpu, libc] =
    /(android|darwin|freebsd|linux|win32)-(arm64|arm|x64|ia32)(?:-(musl))?$/.exec(name) ?? [];
  if (os === undefined)
    throw new Error(`${name} does not say for which platform it is; add it to ${file} by hand`);
  const family = os === 'linux' ? { libc: [libc ?? 'glibc'] } : {};
  return { os: [os], cpu: [cpu], ...family };
}

let added = 0;
for (const [place, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const known = Object.keys(lock.packages).some((other) => other.endsWith(`node_modules/${name}`));
    if (place === '' || known) continue;
    const dev = entry.dev === true ? { dev: true } : {};
    lock.packages[`node_modules/${name}`] = { version: range, ...dev, optional: true, ...platformOf(name) };
    added += 1;
  }
}
const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
process.stdout.write(`${added} packages added to ${file}\n`);
