import { CxrGazeError, type ErrorCode, GazeLT, type Prediction } from 'cxr-gaze';

const classes = ['No Finding', 'Effusion', 'Hernia'] as const;

async function makeModel(folder: string): Promise<void> {
  using model = await GazeLT.create({
    classes,
    init: 'random',
    architecture: 'resnet18',
    imageSize: 64,
    seed: 1,
  });
  await model.save(folder);
}

async function classify(folder: string, image: string): Promise<Prediction> {
  using model = await GazeLT.load(folder);
  const [first] = await model.predict(image);
  if (first === undefined) throw new Error(`no prediction for ${image}`);
  return first;
}

/** Wrong use throws at once, failed work rejects: one place to catch both. */
async function codeOf(work: () => Promise<unknown>): Promise<ErrorCode | 'none'> {
  try {
    await work();
    return 'none';
  } catch (error) {
    if (error instanceof CxrGazeError) return error.code;
    throw error;
  }
}

// @ts-expect-error there is no such architecture
const wrong: Parameters<typeof GazeLT.create>[0] = { classes, init: 'random', architecture: 'resnet19' };

await makeModel('model');
const prediction = await classify('model', 'film.png');
const total = Object.values(prediction.probabilities).reduce((sum, p) => sum + p, 0);
if (Math.abs(total - 1) > 1e-5) throw new Error(`probabilities add up to ${total}`);
if (!classes.some((name) => name === prediction.class)) throw new Error(`unknown class ${prediction.class}`);

const refused = await codeOf(() => GazeLT.create(wrong));
if (refused !== 'ERR_INVALID_ARGUMENT') throw new Error(`a wrong architecture gave ${refused}`);
console.log(`${prediction.class}: ${prediction.probability.toFixed(3)} (not for clinical use)`);
