import { halfNormalisation } from '../../training/inputs.js';
import type { Run } from '../../training/run.js';
import type { TrainEvent, TrainResult } from '../../training/trainer.js';
import {
  type BuiltClassifier,
  buildClassifier,
  Classifier,
  type ClassifierOptions,
  type LoadOptions,
  loadBuilt,
} from '../classifier/classifier.js';
import { checkedLocAttentionFit, type LocAttentionFitOptions, prepareLocAttentionFit } from './fit.js';
import type { LocAttentionScores } from './scoring.js';

/**
 * loc-attention (Wu, Japkowicz, Gilbert, Corizzo, Data Mining and Knowledge Discovery 40(4):47, 2026;
 * `deeplearninglab21/cxr-loc-attention`): a classifier whose loss looks at where the network looks. The Grad-CAM map of each
 * image is held against the part of the chest where the disease of its class belongs, above or below the middle of the
 * lungs' box, or outside of it. The published term counts pixels and has no gradient; the differentiable one trains.
 * Prediction needs neither lungs nor boxes. Not for clinical use.
 *
 * @example
 * ```ts
 * using segmenter = await LungSegmenter.load('lungs');
 * using model = await LocAttention.create({ classes, architecture: 'resnet50', init: { weights: 'resnet50.pth' } });
 * const run = model.fit({ train, validation, segmenter, regions: 'nep', attention: 'differentiable', lambda: 0.5 });
 * for await (const event of run) if (event.type === 'epoch') console.log(event.crossEntropy, event.attention);
 * ```
 */
export class LocAttention extends Classifier {
  /** @internal */
  static of(built: BuiltClassifier): LocAttention {
    return new LocAttention(built);
  }

  /**
   * Makes a classifier.
   *
   * @param options classes and initial weights; by default ResNet50 at 224 pixels with a one-layer head, pixels scaled to
   *   [-1, 1] (not ImageNet's statistics, though the weights are: as published) and shrunk as Pillow does
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_STATE_DICT` if the initial weights do not fit
   */
  static create(options: ClassifierOptions): Promise<LocAttention> {
    return buildClassifier(options, {
      ...{ system: 'loc-attention', head: 'linear', imageSize: 224 },
      ...{ normalisation: halfNormalisation, interpolation: 'pillow-bilinear' },
    }).then(LocAttention.of);
  }

  /**
   * Loads a saved model, a checkpoint or the best checkpoint of a run; that of another system is refused (`loadClassifier`
   * takes any).
   *
   * @param folder that holds it, or a file of weights with its card beside it: `NAME.safetensors` and `NAME.json`
   * @param options where it shall compute
   * @throws CxrGazeError `ERR_INVALID_ARGUMENT` at once; rejects with `ERR_CHECKPOINT`, `ERR_FILE`, `ERR_STATE_DICT`
   */
  static load(folder: string, options: LoadOptions = {}): Promise<LocAttention> {
    return loadBuilt(folder, options, 'loc-attention').then(LocAttention.of);
  }

  /**
   * Trains on one data set and validates on another, with the attention term of loc-attention. At the end the model has the
   * best epoch's weights. Cross-entropy and attention are told apart in the events. The segmenter, if one is given, cannot be
   * trained until the boxes have been found.
   *
   * @param options data, boxes, regions, form of the term, schedule
   * @returns events and result; it runs whether or not it is iterated
   * @throws CxrGazeError as {@link Classifier.fit}
   */
  override fit(options: LocAttentionFitOptions): Run<TrainEvent<LocAttentionScores>, TrainResult> {
    return this.start(() => {
      const fit = checkedLocAttentionFit(this.card, options);
      return {
        ...{ ...fit, prepare: () => prepareLocAttentionFit(this, fit) },
        hold: () => fit.options.segmenter?.hold(),
      };
    });
  }
}
