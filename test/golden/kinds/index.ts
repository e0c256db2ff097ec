import type { Kind } from '../kind.js';
import type { Known } from '../runner.js';
import { attentionLossKind } from './attention-loss.js';
import { attentionRunNameKind } from './attention-run-name.js';
import { attentionStepKind } from './attention-step.js';
import { balancedSamplerKind } from './balanced-sampler.js';
import { camKind } from './cam.js';
import { classWeightsKind } from './class-weights.js';
import { classificationLossKind } from './classification-loss.js';
import { evaluateFilesKind } from './evaluate-files.js';
import { heatmapKind } from './heatmap.js';
import { kdLossKind } from './kd-loss.js';
import { labelCsvKind } from './label-csv.js';
import { ldamMarginsKind } from './ldam-margins.js';
import { backboneForwardKind, unetForwardKind } from './loc-attention/forward.js';
import { modulePickleKind } from './loc-attention/module-pickle.js';
import { stateDictKind as locAttentionStateDictKind } from './loc-attention/state-dict.js';
import { lambdaScheduleKind, publishedLossKind, softLossKind } from './localisation-loss.js';
import { lungBoxKind } from './lung-box.js';
import { lungBoxImageKind } from './lung-box-image.js';
import { metricsKind } from './metrics.js';
import { mixupKind } from './mixup.js';
import { performanceLogKind } from './performance-log.js';
import { preprocessKind } from './preprocess.js';
import { pythonSampleKind } from './python-sample.js';
import { runNameKind } from './run-name.js';
import { scheduleKind } from './schedule.js';
import { splitKind, splitNihKind } from './split.js';
import { stateDictKind } from './state-dict.js';
import { studentKind } from './student.js';
import { tauNormKind } from './tau-norm.js';
import { teacherKind } from './teacher.js';
import { teacherAttentionKind } from './teacher-attention.js';
import { timeWindowsKind } from './time-windows.js';
import { trainStepKind } from './train-step.js';
import { trainingControlKind } from './training-control.js';
import { transformKind } from './transform.js';

const kinds: Readonly<Record<string, Kind>> = {
  'gazelt/attention-loss': attentionLossKind,
  'gazelt/balanced-sampler': balancedSamplerKind,
  'gazelt/class-weights': classWeightsKind,
  'gazelt/classification-loss': classificationLossKind,
  'gazelt/evaluate-files': evaluateFilesKind,
  'gazelt/heatmap': heatmapKind,
  'gazelt/kd-loss': kdLossKind,
  'gazelt/label-csv': labelCsvKind,
  'gazelt/ldam-margins': ldamMarginsKind,
  'gazelt/metrics': metricsKind,
  'gazelt/mixup': mixupKind,
  'gazelt/preprocess': preprocessKind,
  'gazelt/run-name': runNameKind,
  'gazelt/schedule': scheduleKind,
  'gazelt/state-dict': stateDictKind,
  'gazelt/student': studentKind,
  'gazelt/tau-norm': tauNormKind,
  'gazelt/teacher': teacherKind,
  'gazelt/teacher-attention': teacherAttentionKind,
  'gazelt/time-windows': timeWindowsKind,
  'gazelt/train-step': trainStepKind,
  'loc-attention/attention-loss': publishedLossKind,
  'loc-attention/cam': camKind,
  'loc-attention/lambda-schedule': lambdaScheduleKind,
  'loc-attention/lung-box': lungBoxKind,
  'loc-attention/python-sample': pythonSampleKind,
  'loc-attention/report': performanceLogKind,
  'loc-attention/run-name': attentionRunNameKind,
  'loc-attention/soft-attention-loss': softLossKind,
  'loc-attention/lung-box-image': lungBoxImageKind,
  'loc-attention/split': splitKind,
  'loc-attention/split-nih': splitNihKind,
  'loc-attention/train-step': attentionStepKind,
  'loc-attention/training-control': trainingControlKind,
  'loc-attention/transform': transformKind,
  'loc-attention/backbone-forward': backboneForwardKind,
  'loc-attention/module-pickle': modulePickleKind,
  'loc-attention/state-dict': locAttentionStateDictKind,
  'loc-attention/unet-forward': unetForwardKind,
};

/** What the runner of the golden cases knows. */
export const known: Known = {
  kinds: new Map(Object.entries(kinds)),
  systems: ['mcgip', 'raddiag', 'rp3d'],
};
