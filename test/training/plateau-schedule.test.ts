import fc from 'fast-check';
import t from 'tap';
import { PlateauSchedule, type PlateauScheduleOptions } from '../../lib/training/plateau-schedule.js';

interface Trace {
  readonly saved: number[];
  readonly rates: number[];
  readonly epochs: number;
}

interface Plateau {
  readonly factor: number;
  readonly patience: number;
  readonly threshold: number;
  readonly minimum: number;
  readonly smallestCut: number;
}

interface Options extends Required<Omit<PlateauScheduleOptions, 'plateau' | 'goal'>> {
  readonly plateau: Plateau;
}

/** The loop of `model_loss_attent.py` and PyTorch's `ReduceLROnPlateau`, written down as they stand there. */
function original(scores: readonly number[], losses: readonly number[], options: Options): Trace {
  const { factor, patience, threshold, minimum, smallestCut } = options.plateau;
  const trace = { saved: [] as number[], rates: [] as number[] };
  let [bestScore, counter, rate, best, bad, epochs] = [0, 0, options.learningRate, Infinity, 0, 0];
  for (let e = 0; e < options.maxEpochs; e++) {
    trace.rates.push(rate);
    epochs += 1;
    if ((scores[e] as number) > bestScore) {
      trace.saved.push(e + 1);
      bestScore = scores[e] as number;
      if (options.earlyStopping === 'reset') counter = 0;
    } else counter += 1;
    if (counter >= options.patience) break;
    if ((losses[e] as number) < best * (1 - threshold)) {
      best = losses[e] as number;
      bad = 0;
    } else bad += 1;
    if (bad > patience) {
      const lower = Math.max(rate * factor, minimum);
      if (rate - lower > smallestCut) rate = lower;
      bad = 0;
    }
  }
  return { ...trace, epochs };
}

function ours(
  scores: readonly number[],
  losses: readonly number[],
  options: Options,
  interrupt: boolean,
): Trace {
  const trace = { saved: [] as number[], rates: [] as number[] };
  let schedule = new PlateauSchedule(options);
  while (schedule.goesOn) {
    const { epochsDone, learningRate } = schedule.state;
    trace.rates.push(learningRate);
    const { improved } = schedule.finish(scores[epochsDone] as number, losses[epochsDone] as number);
    if (improved) trace.saved.push(epochsDone + 1);
    if (!interrupt) continue;
    const saved = JSON.stringify(schedule.state);
    schedule = new PlateauSchedule(options);
    schedule.restore(JSON.parse(saved));
  }
  t.equal(schedule.state.bestEpoch, trace.saved.at(-1) ?? 0);
  return { ...trace, epochs: schedule.state.epochsDone };
}

// Few values, so that ties and plateaus are common.
const numbersFrom = (...values: number[]) =>
  fc.array(fc.constantFrom(...values), { minLength: 40, maxLength: 40 });
const optionsArbitrary = fc.record({
  maxEpochs: fc.integer({ min: 1, max: 40 }),
  patience: fc.integer({ min: 1, max: 12 }),
  learningRate: fc.constantFrom(1e-5, 1e-7, 0.1),
  earlyStopping: fc.constantFrom('reset' as const, 'cumulative' as const),
  plateau: fc.record({
    factor: fc.constantFrom(0.1, 0.5),
    patience: fc.integer({ min: 0, max: 4 }),
    threshold: fc.constantFrom(1e-4, 0.2),
    minimum: fc.constantFrom(1e-10, 1e-6),
    smallestCut: fc.constantFrom(0, 1e-8),
  }),
});

t.test("runs, rates and best epochs are the original loop's, also with a restart each epoch", async (t) => {
  const scores = numbersFrom(0, 0.1, 0.3, 0.30000000000000004, 0.9, 0.95);
  const losses = numbersFrom(0.9, 0.7, 0.69999, 0.69994, 0.5, 0.4, 0);
  fc.assert(
    fc.property(scores, losses, optionsArbitrary, (score, loss, options) => {
      const expected = original(score, loss, options);
      t.same(ours(score, loss, options, false), expected);
      t.same(ours(score, loss, options, true), expected);
    }),
  );
});

t.test('with the lowest score as goal, and the published rates where nothing is said', async (t) => {
  const schedule = new PlateauSchedule({ maxEpochs: 60, patience: 60, learningRate: 1e-5, goal: 'lowest' });
  t.equal(schedule.finish(5, 1).improved, true);
  t.equal(schedule.finish(5, 0.99991).improved, false, 'not below by one in ten thousand');
  for (let e = 0; e < 9; e++) schedule.finish(6, 1);
  t.equal(schedule.state.learningRate, 1e-5);
  schedule.finish(6, 1);
  t.equal(schedule.state.learningRate, 1e-5 * 0.1, 'the eleventh epoch without a better loss');
  while (schedule.goesOn) schedule.finish(6, 1);
  t.equal(Math.fround(schedule.state.learningRate), Math.fround(1e-8), 'a cut of 9e-9 is not made');
  t.match(schedule.state, { best: 5, bestEpoch: 1, epochsDone: 60 });
});

t.test('options out of range are refused by name', async (t) => {
  const good = { maxEpochs: 3, patience: 1, learningRate: 0.1 };
  const bad: [unknown, RegExp][] = [
    [{ ...good, patience: 0 }, /patience/],
    [{ ...good, earlyStopping: 'cummulative' }, /nearest: 'cumulative'/],
    [{ ...good, plateau: { factor: 0 } }, /plateau\.factor/],
    [{ ...good, plateau: { patiense: 1 } }, /patience/],
    [{ ...good, plateau: { threshold: -1 } }, /plateau\.threshold/],
    [{ ...good, plateau: { smallestCut: Number.NaN } }, /plateau\.smallestCut/],
    [{ ...good, goal: 'best' }, /goal/],
  ];
  for (const [options, message] of bad)
    t.throws(() => new PlateauSchedule(options as PlateauScheduleOptions), {
      code: 'ERR_INVALID_ARGUMENT',
      message,
    });
});
