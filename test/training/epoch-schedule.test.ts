import fc from 'fast-check';
import t from 'tap';
import { EpochSchedule, type EpochScheduleOptions } from '../../lib/training/epoch-schedule.js';

interface Trace {
  readonly rates: number[];
  readonly weighted: boolean[];
  readonly improved: number[];
  readonly best: number;
}

/** The loop of `lordmoinak1/gazelt: src/main_gazelt.py`, written down as it stands there. */
function original(scores: readonly number[], options: EpochScheduleOptions): Trace {
  const trace = { rates: [] as number[], weighted: [] as boolean[], improved: [] as number[] };
  let [epoch, counter, best, rate, weighted] = [1, 0, 0, options.learningRate, false];
  while (epoch <= options.maxEpochs && counter <= options.patience) {
    trace.rates.push(rate);
    trace.weighted.push(weighted);
    const score = scores[epoch - 1] as number;
    if (score > best) {
      counter = 0;
      best = score;
      trace.improved.push(epoch);
    } else counter += 1;
    if (options.deferred && epoch === options.deferred.epoch) {
      rate *= options.deferred.factor;
      weighted = true;
      counter = 0;
    }
    epoch += 1;
  }
  return { ...trace, best };
}

function ours(scores: readonly number[], options: EpochScheduleOptions, interrupt: boolean): Trace {
  const trace = { rates: [] as number[], weighted: [] as boolean[], improved: [] as number[] };
  let schedule = new EpochSchedule(options);
  while (schedule.goesOn) {
    const { epochsDone, learningRate, reweighted } = schedule.state;
    trace.rates.push(learningRate);
    trace.weighted.push(reweighted);
    if (schedule.finish(scores[epochsDone] as number).improved) trace.improved.push(epochsDone + 1);
    if (!interrupt) continue;
    const saved = JSON.stringify(schedule.state);
    schedule = new EpochSchedule(options);
    schedule.restore(JSON.parse(saved));
  }
  t.equal(schedule.state.bestEpoch, trace.improved.at(-1) ?? 0);
  return { ...trace, best: schedule.state.best };
}

const optionsArbitrary = fc.record({
  maxEpochs: fc.integer({ min: 1, max: 30 }),
  patience: fc.integer({ min: 0, max: 6 }),
  learningRate: fc.constantFrom(1e-4, 0.3),
  deferred: fc.option(
    fc.record({ epoch: fc.integer({ min: 1, max: 20 }), factor: fc.constantFrom(0.1, 0.5) }),
    { nil: undefined },
  ),
});
// Few values, so that ties and runs without improvement are common.
const scoresArbitrary = fc.array(fc.constantFrom(0, 0.1, 0.2, 0.30000000000000004, 0.3, 0.9), {
  minLength: 30,
  maxLength: 30,
});

t.test(
  "runs, rates, weights and best epochs are the original loop's, also with a restart each epoch",
  async (t) => {
    fc.assert(
      fc.property(scoresArbitrary, optionsArbitrary, (scores, options) => {
        const expected = original(scores, options);
        t.same(ours(scores, options, false), expected);
        t.same(ours(scores, options, true), expected);
      }),
    );
  },
);

t.test('re-weighting never begins if patience ends the run before', async (t) => {
  const schedule = new EpochSchedule({
    maxEpochs: 60,
    patience: 2,
    learningRate: 1e-4,
    deferred: { epoch: 10, factor: 0.1 },
  });
  while (schedule.goesOn) schedule.finish(0);
  t.match(schedule.state, { epochsDone: 3, reweighted: false, bestEpoch: 0, learningRate: 1e-4 });
});

t.test("a cosine rate is that of PyTorch's CosineAnnealingLR, times the factor of re-weighting", (t) => {
  const options = { maxEpochs: 5, patience: 5, learningRate: 1e-3, decay: 'cosine' as const };
  const rates = (deferred?: EpochScheduleOptions['deferred']): number[] => {
    let schedule = new EpochSchedule({ ...options, deferred });
    return Array.from({ length: 5 }, (_, score) => {
      const { state } = schedule;
      schedule = new EpochSchedule({ ...options, deferred });
      schedule.restore(state);
      schedule.finish(score);
      return state.learningRate;
    });
  };
  // torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5), one step an epoch.
  const expected = [1e-3, 0.00090450849718747, 0.00065450849718747, 0.00034549150281253, 9.549150281253e-5];
  for (const [i, rate] of rates().entries()) t.ok(Math.abs(rate / (expected[i] as number) - 1) < 1e-12);
  for (const [i, rate] of rates({ epoch: 2, factor: 0.1 }).entries()) {
    const factor = i < 2 ? 1 : 0.1;
    t.ok(Math.abs(rate / ((expected[i] as number) * factor) - 1) < 1e-12, `epoch ${i + 1}`);
  }
  t.end();
});

t.test('options out of range are refused by name', async (t) => {
  const good = { maxEpochs: 3, patience: 1, learningRate: 0.1 };
  const bad: [unknown, RegExp][] = [
    [{ ...good, maxEpochs: 0 }, /maxEpochs/],
    [{ ...good, patience: -1 }, /patience/],
    [{ ...good, patience: 1.5 }, /patience/],
    [{ ...good, learningRate: Number.NaN }, /learningRate/],
    [{ ...good, deferred: { epoch: 0, factor: 0.1 } }, /deferred\.epoch/],
    [{ ...good, deferred: { epoch: 1, factor: 0 } }, /deferred\.factor/],
    [{ ...good, decay: 'linear' }, /decay/],
    [{ ...good, patiens: 3 }, /patience/],
  ];
  for (const [options, message] of bad) {
    t.throws(() => new EpochSchedule(options as EpochScheduleOptions), {
      code: 'ERR_INVALID_ARGUMENT',
      message,
    });
  }
});

t.test('with the lowest score as goal any first score is the best, and only a lower one is better', (t) => {
  const schedule = new EpochSchedule({ maxEpochs: 9, patience: 1, learningRate: 1, goal: 'lowest' });
  t.same(
    [5, 5, 4, 4.5, 6].map((score) => schedule.finish(score).improved),
    [true, false, true, false, false],
  );
  t.match(schedule.state, { best: 4, bestEpoch: 3, waited: 2 });
  t.notOk(schedule.goesOn);
  const wrong = { maxEpochs: 1, patience: 0, learningRate: 1, goal: 'lower' as 'lowest' };
  t.throws(() => new EpochSchedule(wrong), { code: 'ERR_INVALID_ARGUMENT', message: /nearest: 'lowest'/ });
  t.end();
});
