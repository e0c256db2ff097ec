import type { Kind } from '../kind.js';
import { goldenMetrics } from './predictions.js';

/** Every number of the evaluation. */
export const metricsKind: Kind = {
  config: ['dataset', 'classes', 'groups', 'strength'],
  inputs: ['noise', 'labels'],
  run: ({ config, inputs }) => {
    const m = goldenMetrics(config, inputs);
    const { longTail, perClass } = m;
    return {
      auroc_macro_ovr: m.auroc,
      auroc_per_class: perClass.map(({ auroc }) => auroc),
      balanced_accuracy: m.balancedAccuracy,
      mcc: m.mcc,
      confusion_matrix: m.confusionMatrix,
      class_accuracy: perClass.map(({ accuracy }) => accuracy),
      accuracy: m.accuracy,
      precision: perClass.map(({ precision }) => precision),
      recall: perClass.map(({ recall }) => recall),
      f1: perClass.map(({ f1 }) => f1),
      support: perClass.map(({ support }) => support),
      macro_f1: m.macroF1,
      weighted_f1: m.weightedF1,
      ...(longTail === null
        ? {}
        : {
            group_accuracy: Object.fromEntries(longTail.groups.map(({ name, accuracy }) => [name, accuracy])),
            average_of_groups: longTail.averageOfGroups,
            average_of_classes: longTail.averageOfClasses,
          }),
    };
  },
};
