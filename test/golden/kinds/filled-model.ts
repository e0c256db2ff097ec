import { type Architecture, architectures, createModel, type Model } from '../../../lib/models/model.js';
import { choice, number } from '../case.js';
import { fillModel } from './student-model.js';

/** Keys that {@link filledModel} reads. */
export const filledModelKeys = ['model', 'num_classes', 'weights', 'mode'] as const;

let kept: { readonly name: string; readonly model: Promise<Model> } | undefined;

/**
 * The classifier that a case of loc-attention describes, its weights filled by their own keys. The next case gets the same
 * one if it is described alike: it must not be changed.
 */
export function filledModel(config: Readonly<Record<string, unknown>>): Promise<Model> {
  const architecture = choice<Architecture>('model', config.model as Architecture, architectures);
  const classes = number('num_classes', config.num_classes);
  choice('weights', config.weights, ['load_filled']);
  choice('mode', config.mode, ['eval']);
  const name = `${architecture} ${classes}`;
  if (kept?.name !== name) {
    void kept?.model.then((model) => model.dispose());
    kept = { name, model: make(architecture, classes) };
  }
  return kept.model;
}

async function make(architecture: Architecture, classes: number): Promise<Model> {
  const model = createModel({ architecture, classes });
  await fillModel(model);
  return model.eval();
}
