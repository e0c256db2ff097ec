import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { readEgd } from '../../lib/gaze/egd.js';
import { readGazeCsv } from '../../lib/gaze/gaze-csv.js';
import type { GazeTable } from '../../lib/gaze/reading.js';
import type { Check } from './check.js';
import { MIB, residentBytes } from './leak.js';

/** Bytes of a fixation that is kept: x, y, start and end as float64. */
const keptBytes = 32;
/**
 * Bytes of a row while a table is read, at the worst: the array of a film is doubled when it is full (64 with the room that
 * is left), those before it lie about until they are collected (64), and at the end it is cut to its length (32).
 */
const passingBytes = 160;
/** What streaming may take besides, however many rows there are: the heap's young generation, buffers of the file. */
const streamingBytes = 128 * MIB;
/** What films and their names may take besides, when everything else has been collected. */
const otherBytes = 8 * MIB;
const films = 1000;
/** One row in so many has a fault. */
const faulty = 100;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/**
 * Tables of millions of rows: a plain one, and samples of EGD, checked by count. When a table is read, no more than
 * {@link keptBytes} a row may be left; while it is read, the resident size may grow by {@link passingBytes} a row and a
 * constant.
 *
 * @param rows of each table
 */
export async function millionsOfGazeRows(rows: number, check: Check): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'cxr-gaze-rows-'));
  try {
    // Of the process before either table: the first one is no longer referred to when the second is read.
    const begin = residentBytes();
    await plain(folder, rows, begin, check);
    await samples(folder, rows, begin, check);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Films in turn, each by itself in order of time; every hundredth row lies off the film. */
async function plain(folder: string, rows: number, begin: number, check: Check): Promise<void> {
  const file = path.join(folder, 'gaze.csv');
  const line = (i: number): string => {
    const [film, time] = [i % films, Math.floor(i / films) / 8];
    return `film-${film},${isFaulty(i) ? 5000 : i % 2048},${i % 1024},${time},${time + 0.125}`;
  };
  await write(file, 'id,x,y,start,end', rows, line);
  const table = await watched('gaze.csv', rows, begin, check, () =>
    readGazeCsv(file, { films: { width: 2048, height: 1024 } }),
  );
  checkCounts('gaze.csv', table, rows, check);
}

/** Samples as EGD has them, film after film. */
async function samples(folder: string, rows: number, begin: number, check: Check): Promise<void> {
  const egd = path.join(folder, 'egd');
  mkdirSync(egd);
  const names = Array.from({ length: films }, (_, film) => `film-${film},0,0,0,0`);
  const header = 'dicom_id,image_left,image_right,image_top,image_bottom';
  writeFileSync(path.join(egd, 'master_sheet.csv'), `${[header, ...names].join('\n')}\n`);
  const each = rows / films;
  const line = (i: number): string => {
    const [film, sample] = [Math.floor(i / each), i % each];
    return `film-${film},${(sample + 1) / 60},${isFaulty(i) ? 1.5 : (i % 100) / 100},${(i % 50) / 50}`;
  };
  await write(path.join(egd, 'eye_gaze.csv'), 'DICOM_ID,Time (in secs),FPOGX,FPOGY', rows, line);
  const table = await watched('eye_gaze.csv', rows, begin, check, () => readEgd(egd));
  checkCounts('eye_gaze.csv', table, rows, check);
}

/** Spread over all films: neither table has a period of it. */
function isFaulty(row: number): boolean {
  return (row + Math.floor(row / films)) % faulty === 0;
}

async function write(file: string, header: string, rows: number, line: (i: number) => string): Promise<void> {
  const chunk = 10_000;
  await pipeline(function* () {
    yield `${header}\n`;
    for (let from = 0; from < rows; from += chunk) {
      let text = '';
      for (let i = from; i < Math.min(rows, from + chunk); i++) text += `${line(i)}\n`;
      yield text;
    }
  }, createWriteStream(file));
}

async function watched(
  name: string,
  rows: number,
  begin: number,
  check: Check,
  read: () => Promise<GazeTable>,
): Promise<GazeTable> {
  const held = await heldBytes();
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes());
  }, 50);
  const from = performance.now();
  try {
    const table = await read();
    const seconds = ((performance.now() - from) / 1000).toFixed(1);
    most = Math.max(most, residentBytes());
    const left = (await heldBytes()) - held;
    const within = (what: string, bytes: number, allowed: number) =>
      check(
        bytes <= allowed,
        `${what}: ${(bytes / MIB).toFixed(0)} MiB of ${(allowed / MIB).toFixed(0)} allowed`,
      );
    within(`${name}, ${rows} rows in ${seconds} s, left when read`, left, keptBytes * rows + otherBytes);
    within(`${name}, resident growth`, most - begin, passingBytes * rows + streamingBytes);
    return table;
  } finally {
    clearInterval(watch);
  }
}

/** Bytes that something still refers to. */
async function heldBytes(): Promise<number> {
  // What a WeakRef was asked for is kept until the current task has ended.
  for (const _ of ['what was referred to', 'its buffers, which are freed after it']) {
    await setImmediate();
    collect();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function checkCounts(
  what: string,
  { rows: read, readings, filtered }: GazeTable,
  rows: number,
  check: Check,
) {
  const off = Array.from({ length: rows }, (_, i) => i).filter(isFaulty).length;
  check(read === rows && readings.length === films, `${what}: ${read} rows, ${readings.length} films`);
  const { offFilm = 0, notFinite, endBeforeStart, unsorted } = filtered;
  check(offFilm === off, `${what}: ${offFilm} rows off the film, expected ${off}`);
  check(
    notFinite === 0 && endBeforeStart === 0 && unsorted === 0,
    `${what}: no other fault (${notFinite}, ${endBeforeStart}, ${unsorted})`,
  );
  const kept = readings.reduce((sum, { fixations }) => sum + fixations.length, 0);
  check(kept === rows - off, `${what}: ${kept} fixations kept, expected ${rows - off}`);
}
