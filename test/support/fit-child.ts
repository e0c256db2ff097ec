/** A process that trains a tiny student and tells its events, one JSON a line: what the tests of kills kill. */
import process from 'node:process';
import { tinyFit, tinyGazeLT } from './tiny.js';

const [checkpoints = '', options = '{}'] = process.argv.slice(2);
using model = await tinyGazeLT();
for await (const event of model.fit(tinyFit({ checkpoints, ...JSON.parse(options) }))) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
