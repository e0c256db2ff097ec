import path from 'node:path';
import t, { type Test } from 'tap';
import type { Dataset, ImageSource } from '../../lib/data/dataset.js';
import { CxrGazeError } from '../../lib/errors.js';
import { Baseline } from '../../lib/systems/baseline.js';
import type { Classifier } from '../../lib/systems/classifier/classifier.js';
import type { FitOptions } from '../../lib/systems/classifier/fit.js';
import { GazeLT, type GazeLTFitOptions } from '../../lib/systems/gazelt/gazelt.js';
import { memoryStats } from '../../lib/tensor/create.js';
import {
  temporaryFolder,
  tinyBaseline,
  tinyClasses,
  tinyDataset,
  tinyFit,
  tinyGazeLT,
} from '../support/tiny.js';

/** The kinds of misuse; a cell of the matrix that makes no sense for a method is left out. */
type Kind = 'disposed' | 'busy' | 'type' | 'empty' | 'NaN' | 'aborted';

/** What must fail, when called (`now`) or when awaited (`later`), with this code. */
type Cell = readonly [code: string, when: 'now' | 'later', call: () => unknown];
type Row = readonly [method: string, cells: Partial<Record<Kind, readonly Cell[]>>];

const ARGUMENT = 'ERR_INVALID_ARGUMENT';
const DISPOSED = 'ERR_DISPOSED';

/** Anything, at a place where the types forbid it. */
const wrong = (value: unknown): never => value as never;

const films = tinyDataset('films', 3);
const image = films.sample(0).image;
const noImage: ImageSource = { kind: 'bytes', name: 'nothing', bytes: new Uint8Array() };
const emptyFilms = tinyDataset('films', 3, { replace: (sample) => ({ ...sample, image: noImage }) });
const none = tinyDataset('none', 0);
const aborted = AbortSignal.abort();
const findings = () => ({ boxes: [{ x: 0, y: 0, width: 4, height: 4 }], width: 32, height: 32 });
const notOptions = [null, 3, 'options'] as const;

const first = async (stream: AsyncIterable<unknown>): Promise<unknown> => {
  for await (const one of stream) return one;
  return undefined;
};

interface Models {
  readonly live: Classifier;
  readonly gone: Classifier;
  readonly busy: Classifier;
  readonly folder: string;
}

/** A call for each of several values, all of which must be refused at once. */
const refusedAtOnce = (values: readonly unknown[], call: (value: never) => unknown): Cell[] =>
  values.map((value): Cell => [ARGUMENT, 'now', () => call(wrong(value))]);

function rowsFor(System: typeof GazeLT | typeof Baseline, { live, gone, busy, folder }: Models): Row[] {
  const good = {
    classes: tinyClasses,
    init: 'random',
    architecture: 'resnet18',
    width: 8,
    imageSize: 32,
  } as const;
  const create = (change: object) => System.create({ ...good, ...change });
  const fit = (change: Partial<GazeLTFitOptions>) => live.fit(tinyFit(change as Partial<FitOptions>)).result;
  return [
    [
      'create',
      {
        type: [
          ...refusedAtOnce([undefined, ...notOptions], (options) => System.create(options)),
          ...refusedAtOnce([3, 'a', [3], ['']], (classes) => create({ classes })),
          ...refusedAtOnce([undefined, 3, {}, 'none'], (init) => create({ init })),
          ...refusedAtOnce([3, ['cpu']], (device) => create({ device })),
          ['ERR_INVALID_DEVICE', 'later', () => create({ device: 'mars' })],
        ],
        empty: [
          ...refusedAtOnce([[]], (classes) => create({ classes })),
          ...refusedAtOnce([{ weights: '' }], (init) => create({ init })),
        ],
        NaN: [
          ...refusedAtOnce([Number.NaN, 0.5, -1], (seed) => create({ seed })),
          ...refusedAtOnce([Number.NaN, Infinity, 0], (imageSize) => create({ imageSize })),
          ...refusedAtOnce([{ head: Number.NaN, tail: 1 }], (thresholds) => create({ thresholds })),
        ],
      },
    ],
    [
      'load',
      {
        type: [
          ...refusedAtOnce([undefined, null, 3, {}], (place) => System.load(place)),
          ...refusedAtOnce(notOptions, (options) => System.load(folder, options)),
        ],
        empty: [
          ...refusedAtOnce([''], (place) => System.load(place)),
          ['ERR_CHECKPOINT', 'later', () => System.load(folder)],
        ],
      },
    ],
    [
      'fit',
      {
        disposed: [[DISPOSED, 'now', () => gone.fit(tinyFit())]],
        busy: [['ERR_BUSY', 'now', () => busy.fit(tinyFit())]],
        type: [
          ...refusedAtOnce([undefined, ...notOptions], (options) => live.fit(options)),
          ...refusedAtOnce([undefined, null, [], 'train'], (train) => fit({ train })),
          ...refusedAtOnce([3, {}], (validation) => fit({ validation })),
          ...refusedAtOnce(['mse', 3], (loss) => fit({ loss })),
          ...refusedAtOnce(['rare', 3], (weighting) => fit({ weighting })),
          ...refusedAtOnce(['10', { epochs: 3 }, { epoch: '3' }], (deferred) => fit({ deferred })),
          ...refusedAtOnce([{}, { kind: 'cutmix', alpha: 1 }], (mixing) => fit({ mixing })),
          ...refusedAtOnce(['yes', 1], (augment) => fit({ augment })),
          ...refusedAtOnce(['yes', 1], (resume) => fit({ resume })),
          ...refusedAtOnce([3, ''], (checkpoints) => fit({ checkpoints })),
          ...refusedAtOnce(['some'], (keep) => fit({ keep })),
          ...refusedAtOnce([{}], (signal) => fit({ signal })),
          ...refusedAtOnce(['float16'], (precision) => fit({ precision })),
          ...refusedAtOnce([true], (resume) => fit({ resume })), // without a folder
          ...refusedAtOnce([{}, 'gazelt', null], (distillation) => fit({ distillation })),
        ],
        empty: [
          ...refusedAtOnce([none], (train) => fit({ train })),
          ...refusedAtOnce([none], (validation) => fit({ validation })),
          ['ERR_IMAGE', 'later', () => fit({ train: emptyFilms })],
          ['ERR_DATASET', 'later', () => fit({ train: emptyFilms, onError: 'skip' })],
        ],
        NaN: [
          ...refusedAtOnce([Number.NaN, Infinity, 0, -1], (learningRate) => fit({ learningRate })),
          ...refusedAtOnce([Number.NaN, 0], (batchSize) => fit({ batchSize })),
          ...refusedAtOnce([Number.NaN, 0], (maxEpochs) => fit({ maxEpochs })),
          ...refusedAtOnce([Number.NaN, -1], (patience) => fit({ patience })),
          ...refusedAtOnce([Number.NaN, 0], (saveEvery) => fit({ saveEvery })),
          ...refusedAtOnce([Number.NaN, -1], (prefetch) => fit({ prefetch })),
          ...refusedAtOnce([Number.NaN, -1], (gamma) => fit({ gamma })),
          ...refusedAtOnce([Number.NaN, 2], (beta) => fit({ beta })),
          ...refusedAtOnce([{ epoch: Number.NaN }, { factor: 0 }], (deferred) => fit({ deferred })),
          ...refusedAtOnce([{ kind: 'mixup', alpha: Number.NaN }], (mixing) => fit({ mixing })),
        ],
        aborted: [['ERR_ABORTED', 'later', () => fit({ signal: aborted })]],
      },
    ],
    [
      'evaluate',
      {
        disposed: [[DISPOSED, 'now', () => gone.evaluate(films)]],
        type: [
          ...refusedAtOnce([undefined, null, [], 'films', { length: 3 }], (data) => live.evaluate(data)),
          ...refusedAtOnce(notOptions, (options) => live.evaluate(films, options)),
          ...refusedAtOnce(['2'], (tta) => live.evaluate(films, { tta })),
          ...refusedAtOnce([3, ''], (cacheDir) => live.evaluate(films, { cacheDir })),
        ],
        empty: [
          ...refusedAtOnce([none], (data) => live.evaluate(data)),
          ['ERR_IMAGE', 'later', () => live.evaluate(emptyFilms)],
          ['ERR_DATASET', 'later', () => live.evaluate(emptyFilms, { onError: 'skip' })],
        ],
        NaN: [
          ...refusedAtOnce([Number.NaN, 0, 1.5], (batchSize) => live.evaluate(films, { batchSize })),
          ...refusedAtOnce([Number.NaN, -1], (tta) => live.evaluate(films, { tta })),
        ],
        aborted: [['ERR_ABORTED', 'later', () => live.evaluate(films, { signal: aborted })]],
      },
    ],
    [
      'predict',
      {
        disposed: [[DISPOSED, 'now', () => gone.predict(image)]],
        type: [
          ...refusedAtOnce([undefined, null, 3, {}, [3]], (input) => live.predict(input)),
          ...refusedAtOnce(notOptions, (options) => live.predict(image, options)),
        ],
        empty: [
          ...refusedAtOnce(['', [], ['']], (input) => live.predict(input)),
          ['ERR_INVALID_ARGUMENT', 'later', () => live.predict(folder)],
          ['ERR_IMAGE', 'later', () => live.predict(noImage)],
        ],
        NaN: refusedAtOnce([Number.NaN, -1], (batchSize) => live.predict(image, { batchSize })),
        aborted: [['ERR_ABORTED', 'later', () => live.predict(image, { signal: aborted })]],
      },
    ],
    [
      'explain',
      {
        disposed: [[DISPOSED, 'now', () => gone.explain(image)]],
        type: [
          ...refusedAtOnce([undefined, null, 3, {}], (input) => live.explain(input)),
          ...refusedAtOnce(notOptions, (options) => live.explain(image, options)),
          ...refusedAtOnce([3, 'right'], (name) => live.explain(image, { class: name })),
          ...refusedAtOnce([3, ''], (layer) => live.explain(image, { layer })),
          [ARGUMENT, 'later', () => first(live.explain(image, { layer: 'layer9' }))],
        ],
        empty: [
          ...refusedAtOnce(['', []], (input) => live.explain(input)),
          ['ERR_IMAGE', 'later', () => first(live.explain(noImage))],
        ],
        NaN: refusedAtOnce([Number.NaN], (batchSize) => live.explain(image, { batchSize })),
        aborted: [['ERR_ABORTED', 'later', () => first(live.explain(image, { signal: aborted }))]],
      },
    ],
    [
      'localise',
      {
        disposed: [[DISPOSED, 'now', () => gone.localise(films, { findings })]],
        type: [
          ...refusedAtOnce([undefined, null, [], 'films'], (data) => live.localise(data, { findings })),
          ...refusedAtOnce(notOptions, (options) => live.localise(films, options)),
          ...refusedAtOnce([undefined, 3, 'here'], (where) => live.localise(films, { findings: where })),
          ...refusedAtOnce([3, 'scorecam'], (method) => live.localise(films, { findings, method })),
        ],
        empty: [
          ...refusedAtOnce([none], (data) => live.localise(data, { findings })),
          [ARGUMENT, 'later', () => live.localise(films, { findings: () => undefined })],
          ['ERR_IMAGE', 'later', () => live.localise(emptyFilms, { findings })],
        ],
        NaN: refusedAtOnce([Number.NaN], (batchSize) => live.localise(films, { findings, batchSize })),
        aborted: [['ERR_ABORTED', 'later', () => live.localise(films, { findings, signal: aborted })]],
      },
    ],
    [
      'tauNormalise',
      {
        disposed: [[DISPOSED, 'now', () => gone.tauNormalise()]],
        busy: [['ERR_BUSY', 'now', () => busy.tauNormalise()]],
        type: [
          ...refusedAtOnce(notOptions, (options) => live.tauNormalise(options)),
          ...refusedAtOnce(['1', {}], (tau) => live.tauNormalise({ tau })),
        ],
        NaN: [
          ...refusedAtOnce([Number.NaN, Number.POSITIVE_INFINITY], (tau) => live.tauNormalise({ tau })),
          ['ERR_NOT_FINITE', 'later', () => live.tauNormalise({ tau: 1e6 })],
        ],
      },
    ],
    [
      'save',
      {
        disposed: [[DISPOSED, 'now', () => gone.save(folder)]],
        type: refusedAtOnce([undefined, null, 3, {}], (place) => live.save(place)),
        empty: refusedAtOnce([''], (place) => live.save(place)),
      },
    ],
  ];
}

/** How a call ended: the code of its error and when it came. */
async function endOf(call: () => unknown): Promise<string> {
  const tell = (error: unknown, when: string) =>
    error instanceof CxrGazeError ? `${error.code} ${when}` : `${String(error)} ${when}`;
  let work: unknown;
  try {
    work = call();
  } catch (error) {
    return tell(error, 'now');
  }
  try {
    await work;
    return 'no error';
  } catch (error) {
    return tell(error, 'later');
  }
}

async function matrix(t: Test, System: typeof GazeLT | typeof Baseline, models: Models): Promise<void> {
  const before = memoryStats().liveTensors;
  for (const [method, cells] of rowsFor(System, models)) {
    for (const [kind, all] of Object.entries(cells)) {
      for (const [i, [code, when, call]] of all.entries())
        t.equal(await endOf(call), `${code} ${when}`, `${System.name}.${method}: ${kind} ${i + 1}`);
    }
  }
  t.equal(memoryStats().liveTensors, before, 'nothing is left behind');
  t.equal((await models.live.predict(image)).length, 1, 'and the model still works');
}

for (const [System, make] of [
  [GazeLT, tinyGazeLT],
  [Baseline, tinyBaseline],
] as const) {
  t.test(`${System.name}: every misuse has its code`, async (t) => {
    using live = await make();
    using gone = await make();
    gone.dispose();
    using busy = await make();
    // It waits in its first callback until the matrix is through.
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: Dataset = tinyDataset('slow', 3, {
      replace: (sample) => ({
        ...sample,
        image: {
          kind: 'pixels',
          name: sample.id,
          pixels: () =>
            held.then(() => ({ width: 32, height: 32, channels: 1, data: new Uint8Array(32 * 32) })),
        },
      }),
    });
    const run = busy.fit(tinyFit({ train: slow, maxEpochs: 1 }));
    await matrix(t, System, { live, gone, busy, folder: path.join(temporaryFolder(t)) });
    release();
    await run.result;
  });
}
