import { CxrGazeError } from '../errors.js';
import type { Model } from '../models/model.js';
import { requireNetwork } from '../models/network.js';
import { cat } from '../tensor/create.js';
import { runMany } from '../tensor/run.js';
import { requireTensors, type Tensor } from '../tensor/tensor.js';
import { tidy } from '../tensor/tidy.js';
import { callable, integer, invalidArgument, knownKeys, text } from '../validate.js';
import { type AttentionMap, type CamTarget, targetKeys, targetOf } from './attention-map.js';

/** Options of {@link scoreCam}. */
export interface ScoreCamOptions extends CamTarget {
  /** Which activation to explain: one of the model's taps. Default: the model's last feature map. */
  readonly layer?: string;
  /**
   * Looks only through the channels of each image whose activation varies most (Faster Score-CAM); the others weigh nothing.
   * Default: all, as published.
   */
  readonly topChannels?: number;
  /** Images seen through a channel that go through the network at once. Default 32. */
  readonly batchSize?: number;
  /** Called after each forward pass with the number of images seen through a channel, of all B × channels. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  /** Ends the work between two passes with `ERR_ABORTED`. */
  readonly signal?: AbortSignal;
}

const keys = ['layer', 'topChannels', 'batchSize', 'onProgress', 'signal', ...targetKeys];

/**
 * ScoreCAM maps of a batch, in eval mode and without gradients: each channel of the activation, resized to the image
 * (bilinear, corners on corners) and scaled to [0, 1], is laid over the image as a mask; the softmax over channels of the
 * class logit of the masked images weighs the channels, and the map is made of the weighted sum as {@link attentionMap}
 * does. Wang et al., "Score-CAM", CVPR Workshops 2020. A constant channel is a mask of zeros (the original divides by 0).
 *
 * It takes B × K forward passes (in batches): some hundred times the time of the other methods.
 *
 * @param model the network; its mode is put back
 * @param images [B, 3, H, W], normalised as in training
 * @param options layer, classes, number of channels, progress and abort
 * @throws CxrGazeError as {@link attentionMap}, and `ERR_ABORTED`
 */
export function scoreCam(model: Model, images: Tensor, options: ScoreCamOptions = {}): Promise<AttentionMap> {
  knownKeys('options', options, keys);
  requireTensors([images], 'images');
  const layers = options.layer === undefined ? undefined : [text('options.layer', options.layer)];
  const { topChannels, onProgress, signal } = options;
  const batchSize = integer('options.batchSize', options.batchSize ?? 32, { min: 1 });
  if (topChannels !== undefined) integer('options.topChannels', topChannels, { min: 1 });
  if (onProgress !== undefined) callable('options.onProgress', onProgress);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalidArgument('options.signal', 'an AbortSignal', signal);
  const target = targetOf(requireNetwork(model), options, layers);
  const bag = { ...target.bag, ...(layers && { layers }), ...(topChannels && { topChannels }) };

  return tidy(async () => {
    const subject = model.run('cam.scoreSubject', [images, ...target.inputs], bag);
    const [activation, logits, classes, channels] = subject as [Tensor, Tensor, Tensor, Tensor];
    const [batch, count] = (await channels.ready()).shape as [number, number];
    const total = batch * count;
    const scores: Tensor[] = [];
    for (let from = 0; from < total; from += batchSize) {
      if (signal?.aborted)
        throw new CxrGazeError('ERR_ABORTED', 'ScoreCAM was aborted', { cause: signal.reason });
      const to = Math.min(total, from + batchSize);
      const [part] = model.run('cam.channelScores', [images, ...subject], { from, to }) as [Tensor];
      // One pass at a time: an abort waits for no more than that.
      await part.ready();
      scores.push(part);
      onProgress?.({ done: to, total });
    }
    const [, , height, width] = (await images.ready()).shape as [number, number, number, number];
    const all = cat(scores).reshape([batch, count]);
    const [maps, raw, weights] = runMany('cam.fromScores', [activation, channels, all], { height, width });
    return { maps: maps as Tensor, logits, classes, raw, weights };
  });
}
