import { join } from 'node:path';
import { known } from '../golden/kinds/index.js';
import { runFolder, summarise } from '../golden/runner.js';
import { root } from '../support/paths.js';
import type { Check } from './check.js';

/** The golden cases that take more than three seconds each: ScoreCAM of all channels, boxes of images at 512 pixels. */
export async function longGoldenCases(check: Check): Promise<void> {
  const outcomes = await runFolder(join(root, 'test', 'long', 'golden'), known);
  for (const line of summarise(outcomes)) console.log(`  ${line}`);
  check(outcomes.length > 0, `${outcomes.length} golden cases`);
  for (const { file, status } of outcomes) check(status === 'passed', `${file} ${status}`);
}
