/** What every system has under the same name. */
import t from 'tap';
import { Network } from '../../lib/models/network.js';
import { GazeTeacher } from '../../lib/systems/gazelt/teacher.js';
import { LungSegmenter } from '../../lib/systems/segmenter/segmenter.js';
import { tinyBaseline, tinyGazeLT, tinyLocAttention } from '../support/tiny.js';

const systems = {
  GazeLT: () => tinyGazeLT(),
  Baseline: () => tinyBaseline(),
  LocAttention: () => tinyLocAttention(),
  GazeTeacher: () => GazeTeacher.create({ branch: 'focal', init: 'random' }),
  LungSegmenter: () => LungSegmenter.create({ init: 'random', imageSize: 32, width: 2 }),
};

for (const [name, create] of Object.entries(systems)) {
  t.test(name, async (t) => {
    using system = await create();
    t.ok(system.network instanceof Network);
    t.equal(system.network.training, false);
    t.equal(system.card.imageSize, name === 'GazeTeacher' ? 224 : 32);
    t.equal(system.device, 'cpu');
    t.same(system.initReport, { fresh: [], leftOut: [] });
  });
}
