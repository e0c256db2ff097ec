import { monitorEventLoopDelay } from 'node:perf_hooks';
import t from 'tap';
import { createModel } from '../../lib/models/model.js';
import { memoryStats, randn } from '../../lib/tensor/create.js';
import { tidy } from '../../lib/tensor/tidy.js';
import { createOptimizer } from '../../lib/training/optimizer.js';

t.test('the event loop turns while a step runs', async (t) => {
  const model = createModel({ architecture: 'resnet18', classes: 4 });
  const parameters = await model.parameters();
  const optimizer = createOptimizer(parameters, { kind: 'sgd' });
  const step = (batch: number): Promise<number> =>
    tidy(async () => {
      const loss = model
        .forward(randn([batch, 3, 64, 64], 1))
        .logSoftmax(-1)
        .mean();
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      return loss.item();
    });
  const timed = async (batch: number): Promise<number> => {
    const from = performance.now();
    await step(batch);
    return performance.now() - from;
  };
  // A step of a second or more on any machine: a loop that it blocked would stand still as long.
  let batch = 16;
  while ((await timed(batch)) < 1000 && batch < 2048) batch *= 2;
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let turns = 0;
  const ticker = setInterval(() => turns++, 10);
  const took = (await timed(batch)) + (await timed(batch));
  clearInterval(ticker);
  delay.disable();
  const worst = delay.max / 1e6;
  t.ok(
    worst < took / 4,
    `two steps took ${took.toFixed(0)} ms, the loop stood still for at most ${worst.toFixed(0)} ms`,
  );
  t.ok(turns > 10, `${turns} turns of a timer meanwhile`);
  for (const tensor of parameters.values()) tensor.dispose();
  optimizer.dispose();
  model.dispose();
  t.equal(memoryStats().liveTensors, 0);
});
