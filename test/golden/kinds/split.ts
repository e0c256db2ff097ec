import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { readNihTable } from '../../../lib/data/nih-table.js';
import { type NihTask, splitNihTask, type TaskLists, taskSplits } from '../../../lib/data/nih-tasks.js';
import { boolean, choice, number, record, string } from '../case.js';
import type { Kind } from '../kind.js';

const codes = ['ne', 'np', 'nep', 'nc'] as const;

function taskOf(code: string): NihTask {
  const known = choice('task', code, codes);
  return known === 'nc' ? 'cardiomegaly' : known;
}

function named(lists: TaskLists): [name: string, names: readonly string[]][] {
  return taskSplits.flatMap((split) =>
    lists[split].map((names, label): [string, readonly string[]] => [`${split}.${label}`, names]),
  );
}

/** The parts of a made-up table. */
export const splitKind: Kind = {
  config: ['task', 'exchange', 'seed', 'labels', 'order'],
  inputs: ['rows'],
  run: ({ config, inputs }) => {
    const labels = record('labels', config.labels);
    const images = string('rows', inputs.rows)
      .split(' ')
      .map((row) => {
        const [name, code] = row.split(':') as [string, string];
        return { name: `${name}.png`, labels: string(code, labels[code]) };
      });
    const lists = splitNihTask(images, taskOf(string('task', config.task)), {
      seed: number('seed', config.seed),
      exchange: boolean('exchange', config.exchange),
    });
    return Object.fromEntries(named(lists).map(([name, list]) => [name, { list }]));
  },
};

/** Folders that may hold real data: named by the environment, or beside the folder of golden cases. Nothing is shipped. */
function dataFolders(): string[] {
  const { CXR_GAZE_DATA: data, CXR_GAZE_GOLDEN: golden } = process.env;
  const beside = golden === undefined ? [] : ['..', '../..'].map((up) => path.join(golden, up, 'data'));
  return [...(data === undefined ? [] : [data]), ...beside];
}

/** Where a table of NIH's lies, with or without compression; nowhere if it is not at hand. */
export function tableFile(name: string): string | undefined {
  const places = dataFolders().flatMap((folder) =>
    [name, `${name}.gz`].map((file) => path.join(folder, 'labels', 'nih', file)),
  );
  return places.find((file) => existsSync(file));
}

function hashOf(names: readonly string[]): string {
  return createHash('sha256').update(names.join('\n')).digest('hex');
}

/** The parts of NIH's own table. */
export const splitNihKind: Kind = {
  config: ['tasks', 'exchange', 'seed', 'table', 'table_sha256'],
  inputs: [],
  waits: (config) =>
    tableFile(string('table', config.table)) === undefined
      ? `NIH's ${String(config.table)} is not at hand (labels/nih/ in the folder that CXR_GAZE_DATA names)`
      : undefined,
  run: async ({ config }) => {
    const table = await readNihTable(tableFile(string('table', config.table)) as string);
    if (table.sha256 !== config.table_sha256) throw new Error(`the table's sha256 is ${table.sha256}`);
    const options = { seed: number('seed', config.seed), exchange: boolean('exchange', config.exchange) };
    return Object.fromEntries(
      Object.keys(record('tasks', config.tasks)).flatMap((code) =>
        named(splitNihTask(table.images, taskOf(code), options)).map(([name, list]) => [
          `${code}.${name}`,
          {
            count: list.length,
            first: list[0],
            last: list.at(-1),
            sha256: hashOf(list),
            sha256_sorted: hashOf([...list].sort()),
          },
        ]),
      ),
    );
  },
};
