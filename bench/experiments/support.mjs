/** What the experiments share: settings from the command line, a budget of time, results in files. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { CheckpointStore, CxrGazeError, threads } from '../../dist/lib/index.js';

/**
 * Settings with their defaults; numbers stay numbers, `a,b` with a list as default becomes a list.
 *
 * @param {Readonly<Record<string, string | number | readonly (string | number)[]>>} defaults
 */
export function settingsFrom(defaults) {
  const options = Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: 'string' }]));
  const { values } = parseArgs({ options });
  const read = (name, fallback) => {
    const given = values[name];
    if (given === undefined) return fallback;
    if (Array.isArray(fallback))
      return given.split(',').map((part) => (typeof fallback[0] === 'number' ? numberOf(name, part) : part));
    return typeof fallback === 'number' ? numberOf(name, given) : given;
  };
  return Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, read(name, value)]));
}

function numberOf(name, text) {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new Error(`Expected a number for --${name} but received '${text}'`);
  return value;
}

/** A signal that fires when the minutes are over, or at the first SIGINT; 0 minutes are no end. */
export function budget(minutes) {
  const stop = new AbortController();
  if (minutes > 0) setTimeout(() => stop.abort(new Error('the minutes are over')), minutes * 60_000).unref();
  process.once('SIGINT', () => stop.abort(new Error('SIGINT')));
  return stop.signal;
}

/** Whether a folder of checkpoints has one to go on from. */
export async function hasCheckpoint(folder) {
  return (await new CheckpointStore(folder).named('last')) !== undefined;
}

/** Content of a JSON file, or `undefined`. */
export function readJson(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

/** Writes a text or, as JSON, an object: whole or not at all. */
export function write(file, content) {
  mkdirSync(path.dirname(file), { recursive: true });
  const text = typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`;
  writeFileSync(`${file}.tmp`, text);
  renameSync(`${file}.tmp`, file);
}

/**
 * How often each sample counts where patients are drawn with replacement.
 *
 * @param {readonly string[]} patients one a sample
 * @param {{ integer(below: number): number }} random
 */
export function drawnPatients(patients, random) {
  const names = [...new Set(patients)];
  const times = new Map();
  for (let i = 0; i < names.length; i++) {
    const name = names[random.integer(names.length)];
    times.set(name, (times.get(name) ?? 0) + 1);
  }
  return patients.map((patient) => times.get(patient) ?? 0);
}

export const meanOf = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The middle 95 % of some resamples. */
export function middle(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (q) => sorted[Math.round(q * (sorted.length - 1))];
  return { low: at(0.025), high: at(0.975) };
}

/** A markdown table. */
export function table(header, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A line on standard output. */
export function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Runs an experiment; one that was stopped says how it goes on. */
export async function run(work, settings) {
  if (settings.threads > 0) await threads(settings.threads);
  try {
    await work();
  } catch (error) {
    if (!(error instanceof CxrGazeError) || error.code !== 'ERR_ABORTED') throw error;
    say('Stopped; the same command goes on.');
    process.exitCode = 3;
  }
}
