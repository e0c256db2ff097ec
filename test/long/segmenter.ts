import { phantomPairs } from '../../lib/data/mask-pairs.js';
import { phantomSplits } from '../../lib/data/phantom/splits.js';
import { LungSegmenter } from '../../lib/systems/segmenter/segmenter.js';
import type { Check } from './check.js';

/** The U-Net of published width learns lungs: 200 phantoms to train on, 50 to test on, 128 pixels, Dice at least 0.95. */
export async function lungSegmenter(check: Check): Promise<void> {
  const splits = phantomSplits({ size: 128, train: 200, valPerClass: 2, testPerClass: 0, test: 50 });
  using segmenter = await LungSegmenter.create({ init: 'random', imageSize: 128 });
  const run = segmenter.fit({
    train: phantomPairs(splits.train),
    validation: phantomPairs(splits['balanced-val']),
    ...{ maxEpochs: 2, batchSize: 2 },
  });
  for await (const event of run)
    if (event.type === 'epoch' && event.phase === 'val')
      console.log(`  epoch ${event.epoch}: loss ${event.loss.toFixed(4)}, Dice ${event.dice.toFixed(4)}`);
  const { dice, iou, images } = await segmenter.evaluate(phantomPairs(splits.test));
  check(dice >= 0.95, `Dice ${dice.toFixed(4)}, IoU ${iou.toFixed(4)} on ${images} phantoms`);
}
