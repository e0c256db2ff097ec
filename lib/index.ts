/**
 * cxr-gaze: train, evaluate, explain and serve chest-radiograph models that learn from where radiologists look and from
 * rare diseases. Not for clinical use.
 *
 * @packageDocumentation
 */
export {
  type AttentionMap,
  type AttentionMapOptions,
  attentionMap,
  type CamActivations,
  type CamMethod,
  type CamTarget,
  camActivations,
  camMethods,
  type Explanation,
  type GradientCamMethod,
  gradientCamMethods,
} from './cam/attention-map.js';
export { type DrawBoxOptions, drawBox, withinBox } from './cam/draw-box.js';
export { drawLungs } from './cam/draw-lungs.js';
export { type CamSize, camFromActivation } from './cam/from-activation.js';
export { type GradCamOptions, gradCam } from './cam/grad-cam.js';
export { type CamMap, readMaps } from './cam/maps.js';
export { type OverlayOptions, overlay } from './cam/overlay.js';
export { type ScoreCamOptions, scoreCam } from './cam/score-cam.js';
export { CheckpointStore, type Json, type Pointer, verifyCheckpoint } from './checkpoints/folder.js';
export { type NpyArray, type NpyArrayOf, type NpyTypes, readNpy, writeNpy } from './checkpoints/npy.js';
export { type OpenTensorFileOptions, openTensorFile, type TensorFile } from './checkpoints/open.js';
export { isTensorRecord, PickleRecord, PlainDict, type PlainValue } from './checkpoints/pickle-values.js';
export { readTensors } from './checkpoints/read-tensors.js';
export {
  type SafetensorsEntry,
  type WrittenFile,
  writeSafetensors,
} from './checkpoints/safetensors-write.js';
export type { StoredDType, TensorRecord } from './checkpoints/tensor-record.js';
export { writeTensors } from './checkpoints/write-tensors.js';
export { type Augmentation, type AugmentationOptions, drawAugmentation } from './data/augmentation.js';
export { Batch } from './data/batch.js';
export { type Box, boundingBox, scaleBox } from './data/box.js';
export { checkImages, findMissingImages, type MissingImage } from './data/check-images.js';
export type { DataWarning } from './data/data-warning.js';
export type {
  BytesSource,
  Dataset,
  FileSource,
  ImageSource,
  Pixels,
  PixelsSource,
  Sample,
} from './data/dataset.js';
export { decodeImage, imageName } from './data/decode.js';
export type { DecodeLimits } from './data/decode-limits.js';
export { type FolderListing, IMAGE_EXTENSIONS, listImages } from './data/image-files.js';
export { type ImageFolderOptions, type ImageFolderSplits, openImageFolder } from './data/image-folder.js';
export { ImageStore, ImagesOnDemand, type OnDemandOptions, type PixelPlace } from './data/image-store.js';
export {
  featureName,
  ImageTable,
  type ImageTableParts,
  sharedPatients,
} from './data/image-table.js';
export {
  type BatchesOptions,
  DataLoader,
  type LoaderAugmentation,
  type LoaderOptions,
} from './data/loader.js';
export {
  LONG_TAILED_DATASETS,
  LONG_TAILED_SPLITS,
  type LongTailedName,
  type LongTailedOptions,
  type LongTailedSplit,
  openLongTailed,
} from './data/long-tailed.js';
export { boxSide, type LungBox, type LungFinding, type LungMask, lungBox } from './data/lung-box.js';
export { type LungBoxes, type LungBoxOptions, lungBoxesOfMasks } from './data/lung-boxes.js';
export { MaskFolder } from './data/mask-folder.js';
export {
  type FoundPairs,
  type MaskPairs,
  openPairTable,
  type PairTableOptions,
  pairFolders,
  phantomPairs,
  type SplitPairs,
  type SplitPairsOptions,
  splitPairs,
} from './data/mask-pairs.js';
export { MIMIC_CXR_LT_CLASSES } from './data/mimic-cxr-lt.js';
export { type FramedFinding, type FramedFindings, readNihBoxes } from './data/nih-boxes.js';
export { NIH_CXR_LT_CLASSES } from './data/nih-cxr-lt.js';
export { type NihTable, nihTableHash, readNihTable } from './data/nih-table.js';
export {
  type NihImage,
  type NihTask,
  type NihTaskNames,
  nihTaskNames,
  nihTasks,
  type SplitNihOptions,
  splitNihTask,
  type TaskLists,
  type TaskSplit,
  taskSplits,
} from './data/nih-tasks.js';
export {
  halfOfEach,
  imagenetMean,
  imagenetStd,
  type NormalizeOptions,
  normalizeImages,
} from './data/normalize.js';
export type { PairReport } from './data/pair-survey.js';
export { phantomClasses, phantomShares } from './data/phantom/findings.js';
export {
  type Phantom,
  type PhantomChoice,
  type PhantomOptions,
  phantom,
} from './data/phantom/phantom.js';
export {
  PhantomDataset,
  type PhantomSplitOptions,
  type PhantomSplits,
  phantomSplits,
} from './data/phantom/splits.js';
export {
  type PhantomBoxes,
  PhantomTask,
  type PhantomTaskName,
  type PhantomTaskOptions,
  type PhantomTaskSplits,
  phantomTask,
  phantomTasks,
} from './data/phantom/tasks.js';
export { type WritePhantomsOptions, type WrittenPhantoms, writePhantoms } from './data/phantom/write.js';
export {
  PreparedImages,
  type PrepareOptions,
  type PrepareProgress,
  prepareImages,
  type SkippedImage,
} from './data/prepare.js';
export { PythonRandom } from './data/python-random.js';
export { Random, rng, type StreamKey } from './data/random.js';
export { readMask } from './data/read-mask.js';
export {
  dataThreads,
  type Interpolation,
  interpolations,
  resizeArea,
  resizeImage,
} from './data/resize.js';
export {
  balancedWeights,
  type ClassBalancedOptions,
  ClassBalancedSampler,
  classCounts,
  labelsOf,
  type Sampler,
  SequentialSampler,
  ShuffledSampler,
} from './data/samplers.js';
export {
  openTable,
  parseWhere,
  type TableOptions,
  type TableSplits,
  type WhereClause,
} from './data/table-dataset.js';
export {
  attentionTaskFindings,
  checkTaskFolder,
  type TaskFolderReport,
} from './data/task-folder.js';
export { type WriteTasksOptions, type WrittenTask, writeNihTasks } from './data/write-tasks.js';
export { CxrGazeError, type ErrorCode, type ErrorOptions } from './errors.js';
export type { GazeReadOptions } from './gaze/builder.js';
export { type EgdOptions, readEgd } from './gaze/egd.js';
export { FilmFiles } from './gaze/film-files.js';
export type { FilmLookup, FilmSizes } from './gaze/film-sizes.js';
export { type FocalClusterOptions, focalCluster } from './gaze/focal-cluster.js';
export { type GazeCsvOptions, readGazeCsv } from './gaze/gaze-csv.js';
export {
  type HeatmapOptions,
  readingPoints,
  renderHeatmaps,
  type WeightedPoints,
} from './gaze/heatmap.js';
export {
  type ChestBox,
  type FilmSize,
  type Fixation,
  type GazeTable,
  type Reading,
  withinChestBox,
  withinChestBoxes,
} from './gaze/reading.js';
export { type ReflacxOptions, readReflacx } from './gaze/reflacx.js';
export { type WriteHeatmapsOptions, type WrittenHeatmaps, writeHeatmaps } from './gaze/render-set.js';
export { CentreBias, cc, klDivergence, type LookedAt, nss, saliencyOfMap } from './gaze/saliency.js';
export { drawScanpath, type ScanpathPictureOptions } from './gaze/scanpath-picture.js';
export { readSiim } from './gaze/siim.js';
export {
  branchSigma,
  type TeacherTargetOptions,
  type TeacherTargets,
  teacherTargets,
} from './gaze/teacher-targets.js';
export {
  cumulativeWindows,
  timeWindows,
  type WindowConvention,
  type WindowOptions,
  type WindowShare,
  windowConventions,
} from './gaze/windows.js';
export { type AttentionOptions, attentionLoss } from './losses/attention.js';
export type { ClassValues } from './losses/class-values.js';
export {
  balancedClassWeights,
  type ClassWeighting,
  type ClassWeightOptions,
  classBalancedWeights,
  classWeightings,
  classWeights,
  type LdamMarginOptions,
  ldamMargins,
} from './losses/class-weights.js';
export {
  type ClassificationLoss,
  type ClassificationLossOptions,
  type Criterion,
  classificationLoss,
  classificationLosses,
} from './losses/criterion.js';
export { type CrossEntropyOptions, crossEntropy } from './losses/cross-entropy.js';
export {
  type DistillationOptions,
  type DistillationTerms,
  distillationLoss,
  distillationTerms,
} from './losses/distillation.js';
export { type FocalOptions, focalLoss } from './losses/focal.js';
export { type LdamOptions, ldamLoss } from './losses/ldam.js';
export {
  type Boxes,
  type LocalisationLossOptions,
  localisationLoss,
  type PublishedAttention,
  type PublishedAttentionOptions,
  publishedAttention,
  type SoftAttention,
  type SoftAttentionOptions,
  softAttention,
} from './losses/localisation.js';
export {
  type BalancedMixupDrawOptions,
  balancedMixup,
  drawBalancedMixup,
  drawMixup,
  type MixupDraw,
  type MixupRandom,
  mixedLoss,
  mixup,
  permuteLabels,
} from './losses/mixup.js';
export {
  type LocalisationTask,
  localisationTasks,
  type Region,
  type RegionTable,
  readRegionTable,
  regions,
  regionTable,
} from './losses/regions.js';
export { type SegmentationLossOptions, segmentationLoss } from './losses/segmentation.js';
export {
  type BestThreshold,
  bestThreshold,
  type DiagnosticScores,
  diagnosticScores,
  discriminantPower,
  scoresAtThreshold,
} from './metrics/diagnostic.js';
export {
  type DiagnosticFigure,
  type DiagnosticFigureName,
  type DiagnosticFigureOptions,
  type DiagnosticFigures,
  diagnosticFigureNames,
  diagnosticFigures,
} from './metrics/diagnostic-figures.js';
export { type EpochScores, epochScores } from './metrics/epoch-scores.js';
export { type EvaluationOptions, evaluatePredictions } from './metrics/evaluate.js';
export { defaultGroupThresholds, groupsFromCounts } from './metrics/groups.js';
export {
  type EvaluateLocalisationOptions,
  evaluateLocalisation,
  type LocalisationEvaluation,
  type LocalisationOptions,
  type LocalisationScores,
  type LocatedMap,
  localisationScores,
  type Place,
} from './metrics/localisation.js';
export type { MeanWithInterval } from './metrics/mean.js';
export type { PredictionSet } from './metrics/predictions.js';
export type { BootstrapOptions } from './metrics/resample.js';
export { type RocCurve, type RocOptions, rocCurves } from './metrics/roc.js';
export type {
  BootstrapIntervals,
  Calibration,
  CalibrationBin,
  ClassMetrics,
  GroupMetrics,
  GroupName,
  GroupThresholds,
  Interval,
  LongTailMetrics,
  Metrics,
  Notice,
} from './metrics/types.js';
export {
  type Architecture,
  architectures,
  createModel,
  type HeadKind,
  Model,
  type ModelOptions,
  probabilities,
} from './models/model.js';
export { type ForwardOptions, type LoadReport, Network, type StateEntry } from './models/network.js';
export {
  createSegmentationNetwork,
  SegmentationNetwork,
  type SegmentationNetworkOptions,
  segmentationStep,
} from './models/segmentation.js';
export {
  createTeacher,
  loadTeacherBlock,
  type TeacherBranch,
  TeacherNetwork,
  type TeacherOptions,
  type TeacherOutput,
  teacherBranches,
  teacherSize,
} from './models/teacher.js';
export type { NativeBuildInfo, PixelFileHandle } from './native.js';
export {
  type CurveFilesOptions,
  type EvaluationFilesOptions,
  writeCurveFiles,
  writeEvaluationFiles,
  writeLearningCurves,
} from './report/evaluation-files.js';
export {
  classificationColumns,
  type HistoryColumn,
  HistoryFile,
  type HistoryRow,
  type Phase,
  readHistory,
} from './report/history.js';
export { renderReport, writeReport } from './report/html.js';
export { type PerformanceLogOptions, performanceLog } from './report/loc-attention-log.js';
export {
  type AttentionRunNameOptions,
  attentionRunName,
  crossEntropyRunName,
} from './report/loc-attention-name.js';
export { type MetricsFile, writeMetricsJson } from './report/metrics-json.js';
export type { GalleryItem, OptionValue, ReportData, ReportEvaluation } from './report/report-data.js';
export { type RunNameOptions, runName } from './report/run-name.js';
export { Baseline } from './systems/baseline.js';
export { Classifier, type ClassifierOptions, type LoadOptions } from './systems/classifier/classifier.js';
export { type DecouplingOptions, defaultTau, type TauNormOptions } from './systems/classifier/decoupling.js';
export type { EvaluateOptions, Evaluation } from './systems/classifier/evaluate.js';
export type { ChannelProgress, ExplainedImage, ExplainOptions } from './systems/classifier/explain.js';
export type { DeferredOptions, FitOptions } from './systems/classifier/fit.js';
export type { Init, InitReport } from './systems/classifier/initial-weights.js';
export type { ImageBytes, ImageInput } from './systems/classifier/inputs.js';
export {
  type FindingSource,
  framedFindings,
  type KnownFinding,
  type Localisation,
  type LocalisationMeans,
  type LocalisedImage,
  type LocaliseOptions,
} from './systems/classifier/localise.js';
export {
  type ClassifierSystem,
  classifierSystems,
  type ModelCard,
} from './systems/classifier/model-card.js';
export type { PassOptions } from './systems/classifier/passes.js';
export type { Prediction, PredictOptions } from './systems/classifier/predict.js';
export type { DistillationSettings } from './systems/gazelt/distillation.js';
export {
  firstReadings,
  type GazeDataset,
  type MatchedGaze,
  matchReadings,
  phantomGaze,
  type SplitReadings,
  type SplitReadingsOptions,
  splitReadings,
} from './systems/gazelt/gaze-dataset.js';
export { GazeLT, type GazeLTFitOptions } from './systems/gazelt/gazelt.js';
export {
  type PublishedFigures,
  type PublishedRow,
  publishedFigures,
  publishedRows,
} from './systems/gazelt/published.js';
export {
  GazeTeacher,
  type GazeTeacherLoadOptions,
  type GazeTeacherOptions,
  type TeacherEvent,
} from './systems/gazelt/teacher.js';
export type { TeacherCard } from './systems/gazelt/teacher-card.js';
export type {
  PredictedReading,
  TeacherEvaluateOptions,
  TeacherEvaluation,
} from './systems/gazelt/teacher-evaluate.js';
export type { FeatureSet } from './systems/gazelt/teacher-features.js';
export type {
  SkippedFilm,
  TeacherFeatureOptions,
  TeacherFeatureReport,
} from './systems/gazelt/teacher-files.js';
export type { TeacherFitOptions } from './systems/gazelt/teacher-fit.js';
export type { TeacherScores } from './systems/gazelt/teacher-objective.js';
export type {
  ReadingSaliency,
  SaliencyMeasure,
  SaliencyScores,
  WindowSaliency,
} from './systems/gazelt/teacher-saliency.js';
export { loadClassifier } from './systems/load-classifier.js';
export type { BoxOptions, GivenBoxes } from './systems/loc-attention/boxes.js';
export type { LocAttentionFitOptions } from './systems/loc-attention/fit.js';
export { LocAttention } from './systems/loc-attention/loc-attention.js';
export {
  type PublishedAttentionBackbone,
  type PublishedAttentionChoice,
  type PublishedAttentionDataset,
  type PublishedAttentionTask,
  type PublishedLambda,
  publishedAttentionBackbones,
  publishedAttentionDatasets,
  publishedAttentionFigures,
  publishedAttentionTasks,
  publishedLambdas,
} from './systems/loc-attention/published.js';
export type { RegionChoice } from './systems/loc-attention/region-choice.js';
export type { LocAttentionScores } from './systems/loc-attention/scoring.js';
export {
  type AttentionForm,
  type AttentionTermOptions,
  attentionForms,
  camClasses,
  followedLosses,
  selections,
} from './systems/loc-attention/settings.js';
export {
  type DescribeWeightsOptions,
  describeWeights,
  type PublishedWeights,
  readWeights,
} from './systems/published-weights.js';
export {
  LungSegmenter,
  type LungSegmenterLoadOptions,
  type LungSegmenterOptions,
  type SegmenterEvent,
} from './systems/segmenter/segmenter.js';
export type { SegmenterCard } from './systems/segmenter/segmenter-card.js';
export type {
  OverlapScores,
  SegmenterEvaluateOptions,
  SegmenterEvaluation,
} from './systems/segmenter/segmenter-evaluate.js';
export type { SegmenterFitOptions } from './systems/segmenter/segmenter-fit.js';
export type { SegmentedImage, SegmenterBoxOptions } from './systems/segmenter/segmenter-masks.js';
export type { SegmenterScores } from './systems/segmenter/segmenter-objective.js';
export { type AutocastOptions, autocast, enableGrad, noGrad, traceCalls } from './tensor/context.js';
export {
  arange,
  cat,
  full,
  type GradientsOptions,
  gradients,
  type MemoryStats,
  memoryStats,
  type NestedNumbers,
  ones,
  rand,
  randn,
  stack,
  type TensorOptions,
  tensor,
  threads,
  zeros,
} from './tensor/create.js';
export type { DType, TensorData } from './tensor/dtype.js';
export { fromNdarray } from './tensor/ndarray.js';
export {
  type BackwardOptions,
  type ReduceOptions,
  Tensor,
  type TensorInfo,
  type ToOptions,
  type ValuesAndIndices,
} from './tensor/tensor.js';
export { tidy } from './tensor/tidy.js';
export { Work } from './tensor/work.js';
export { type AttentionWeightOptions, attentionWeight } from './training/attention-weight.js';
export type {
  ClassificationResult,
  InputBatch,
  ObjectivePhase,
  ObjectiveResult,
} from './training/batch.js';
export { type BatchNormKind, batchNormMode } from './training/batch-norm-mode.js';
export type { CheckpointNotes, EpochHalf } from './training/checkpoint.js';
export { classificationScoring } from './training/classification-scoring.js';
export {
  type DeferredReweighting,
  EpochSchedule,
  type EpochScheduleOptions,
  type RateDecay,
  rateDecays,
} from './training/epoch-schedule.js';
export type { CommonFitOptions } from './training/fit-options.js';
export {
  halfNormalisation,
  imagenetNormalisation,
  type Normalisation,
  noNormalisation,
} from './training/inputs.js';
export {
  type ExtraTerm,
  type LongTailObjectiveOptions,
  longTailObjective,
  type MixingOptions,
} from './training/long-tail-objective.js';
export {
  createOptimizer,
  Optimizer,
  type OptimizerOptions,
  type OptimizerStateEntry,
} from './training/optimizer.js';
export {
  defaultPlateau,
  type EarlyStopping,
  earlyStoppings,
  type PlateauOptions,
  PlateauSchedule,
  type PlateauScheduleOptions,
} from './training/plateau-schedule.js';
export { type Precision, type PrecisionChoice, resolvePrecision } from './training/precision.js';
export { Run } from './training/run.js';
export type {
  EpochOutcome,
  PlateauState,
  Schedule,
  ScheduleState,
  ScoreGoal,
} from './training/schedule.js';
export type { EpochScorer, ScorerState, Scoring } from './training/scoring.js';
export {
  type EpochNumbers,
  type FitOptions as TrainerFitOptions,
  type Objective,
  type TrainEvent,
  Trainer,
  type TrainerOptions,
  type TrainResult,
} from './training/trainer.js';
