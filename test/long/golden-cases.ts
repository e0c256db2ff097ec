import { longCases } from '../golden/folders.js';
import { known } from '../golden/kinds/index.js';
import { runFolder, summarise } from '../golden/runner.js';
import type { Check } from './check.js';

/** The golden cases that take more than some seconds each: ScoreCAM of all channels, VGG16's gradients, a large film's box. */
export async function longGoldenCases(check: Check): Promise<void> {
  const outcomes = await runFolder(longCases, known);
  for (const line of summarise(outcomes)) console.log(`  ${line}`);
  check(outcomes.length > 0, `${outcomes.length} golden cases`);
  for (const { file, status } of outcomes) check(status === 'passed', `${file} ${status}`);
}
