import { GazeLT } from 'cxr-gaze';

const model = await GazeLT.load('model');
const [prediction] = await model.predict('film.png');
console.log(`${prediction.class}: ${prediction.probability.toFixed(3)} (not for clinical use)`);
