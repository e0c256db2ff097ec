import { type Architecture, architectures, createModel, type Model } from '../../../lib/models/model.js';
import { choice, number } from '../case.js';
import { fillModel } from './student-model.js';

/** Keys that {@link filledModel} reads. */
export const filledModelKeys = ['model', 'num_classes', 'weights', 'mode'] as const;

// A VGG16 takes seconds to fill, and the cases come by their names, not by their models.
const mostKept = 3;
const kept = new Map<string, Promise<Model>>();

/**
 * The classifier that a case of loc-attention describes, its weights filled by their own keys. Later cases get the
 * same one if they are described alike: it must not be changed.
 */
export function filledModel(config: Readonly<Record<string, unknown>>): Promise<Model> {
  const { architecture, classes } = optionsOf(config);
  choice('mode', config.mode, ['eval']);
  const name = `${architecture} ${classes}`;
  const model = kept.get(name) ?? make({ architecture, classes });
  kept.delete(name);
  kept.set(name, model);
  const [oldest] = kept.keys();
  if (kept.size > mostKept && oldest !== undefined) {
    void kept.get(oldest)?.then((old) => old.dispose());
    kept.delete(oldest);
  }
  return model;
}

/**
 * The same classifier in training mode, for one case alone: a pass moves its running statistics. Without dropout, whose draws
 * no two libraries share, unless the case names a probability.
 */
export async function trainingModel(config: Readonly<Record<string, unknown>>): Promise<Model> {
  choice('mode', config.mode, ['train']);
  const model = await make({ ...optionsOf(config), dropout: number('dropout', config.dropout ?? 0) });
  return model.train();
}

function optionsOf(config: Readonly<Record<string, unknown>>) {
  choice('weights', config.weights, ['load_filled']);
  return {
    architecture: choice<Architecture>('model', config.model as Architecture, architectures),
    classes: number('num_classes', config.num_classes),
  };
}

async function make(options: Parameters<typeof createModel>[0]): Promise<Model> {
  const model = createModel(options);
  await fillModel(model);
  return model.eval();
}
