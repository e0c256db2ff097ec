import { attentionLoss } from '../../losses/attention.js';
import { type TeacherNetwork, teacherSize } from '../../models/teacher.js';
import { noGrad } from '../../tensor/context.js';
import { stack, tensor } from '../../tensor/create.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { InputBatch, ObjectivePhase, ObjectiveResult } from '../../training/batch.js';
import type { EpochScorer, ScorerState, Scoring } from '../../training/scoring.js';
import { teacherWindows } from './teacher-card.js';
import type { WindowTargets } from './teacher-targets.js';

/** The attention loss of one window in a batch. */
interface WindowLoss {
  /** From 0. */
  readonly window: number;
  /** Readings with a fixation in the window. */
  readonly readings: number;
  /** Mean over these readings, sum over positions; a scalar. */
  readonly loss: Tensor;
}

/** What a teacher's objective makes of a batch. */
export interface TeacherResult extends ObjectiveResult {
  readonly windows: readonly WindowLoss[];
}

/** What half an epoch of a teacher's training tells besides its loss. */
export interface TeacherScores {
  /** Mean of the four windows' attention losses; unscaled, as published: mean over positions too. */
  readonly attentionLoss: number;
  /** Of the first window, mean over its readings; `null` where no reading has a fixation in it. */
  readonly attentionLoss0: number | null;
  /** Of the second. */
  readonly attentionLoss1: number | null;
  /** Of the third. */
  readonly attentionLoss2: number | null;
  /** Of the fourth. */
  readonly attentionLoss3: number | null;
  /** Windows of readings that had no fixation and therefore no loss. */
  readonly emptyWindows: number;
}

/**
 * The objective of a gaze teacher: the sum over the four windows of the attention loss between map and heat map, summed
 * over positions, because the gradients of the mean drown in Adam's ε (gazelt.md 4 and 5: how the four combine was not
 * published). A window without fixations has no loss.
 *
 * @param targetsOf the heat maps of a batch
 */
export function teacherObjective(
  targetsOf: (batch: InputBatch, phase: ObjectivePhase) => Promise<readonly WindowTargets[]>,
): (model: TeacherNetwork, batch: InputBatch, phase: ObjectivePhase) => Promise<TeacherResult> {
  return async (model, batch, phase) => {
    const targets = await targetsOf(batch, phase);
    const maps = model.maps(batch.images);
    const windows = targets.flatMap(({ rows, maps: heat }, window): WindowLoss[] => {
      if (rows.length === 0) return [];
      const map = maps[window] as Tensor;
      const size = [rows.length, 1, teacherSize, teacherSize];
      const dtype = model.dtype === 'float64' ? 'float64' : 'float32';
      const target = tensor(heat, size, { dtype, device: batch.device });
      const predicted = rows.length === batch.ids.length ? map : selected(map, rows, batch.device);
      const loss = attentionLoss(predicted, target, { reduction: 'sum' });
      return [{ window, readings: rows.length, loss }];
    });
    return { loss: sumOf(windows) ?? nothing(maps), windows };
  };
}

function sumOf(windows: readonly WindowLoss[]): Tensor | undefined {
  const [first, ...rest] = windows;
  return first && rest.reduce((sum, { loss }) => sum.add(loss), first.loss);
}

/** The loss of readings that a rotation has turned off their films, all of a batch: 0, with a gradient of zeros. */
function nothing(maps: readonly Tensor[]): Tensor {
  return maps.reduce((sum, map) => sum.add(map.sum()), (maps[0] as Tensor).sum()).mul(0);
}

function selected(map: Tensor, rows: Int32Array, device: string): Tensor {
  return map.indexSelect(0, tensor(rows, [rows.length], { dtype: 'int64', device }));
}

/** Sums by window: of the losses, of the readings; then how many windows were empty. */
class TeacherScorer implements EpochScorer<TeacherResult, TeacherScores> {
  readonly #sums: Float64Array;

  constructor({ sums }: ScorerState) {
    this.#sums = Float64Array.from(sums ?? new Float64Array(2 * teacherWindows + 1));
  }

  #increase(at: number, by: number): void {
    this.#sums[at] = (this.#sums[at] as number) + by;
  }

  async add({ windows }: TeacherResult, { ids }: InputBatch): Promise<void> {
    this.#increase(2 * teacherWindows, teacherWindows * ids.length);
    if (windows.length === 0) return;
    const losses = noGrad(() => stack(windows.map(({ loss }) => loss)).to({ dtype: 'float64' }));
    const values = (await losses.data()) as Float64Array;
    for (const [i, { window, readings }] of windows.entries()) {
      this.#increase(window, (values[i] as number) * readings);
      this.#increase(teacherWindows + window, readings);
      this.#increase(2 * teacherWindows, -readings);
    }
  }

  scores(): TeacherScores {
    const means = Array.from({ length: teacherWindows }, (_, k) => {
      const readings = this.#sums[teacherWindows + k] as number;
      return readings === 0 ? null : (this.#sums[k] as number) / readings / teacherSize ** 2;
    });
    const defined = means.filter((mean) => mean !== null);
    const [attentionLoss0, attentionLoss1, attentionLoss2, attentionLoss3] = means as [
      number | null,
      number | null,
      number | null,
      number | null,
    ];
    return {
      attentionLoss: defined.reduce((sum, mean) => sum + mean, 0) / Math.max(1, defined.length),
      ...{ attentionLoss0, attentionLoss1, attentionLoss2, attentionLoss3 },
      emptyWindows: this.#sums[2 * teacherWindows] as number,
    };
  }

  state(): { readonly sums: Float64Array } {
    return { sums: this.#sums };
  }
}

/** How a teacher's epochs are scored: attention losses by window; the epoch with the lowest validation loss is the best. */
export const teacherScoring: Scoring<TeacherResult, TeacherScores> = {
  begin: (_, state = {}) => new TeacherScorer(state),
  select: ({ loss }) => loss,
};
