// ScoreCAM: channels weighed by the class score of the image seen through them. No gradient; many forward passes.
#pragma once

#include <ATen/ATen.h>

#include "cam/explain.h"

namespace cxr::cam {

/// What the passes of ScoreCAM need.
struct ScoreSubject {
  at::Tensor activation;  ///< [B, K, h, w]
  at::Tensor logits;      ///< [B, C]
  at::Tensor classes;     ///< [B] int64
  at::Tensor channels;    ///< [B, n] int64: the channels that are looked through, ascending
};

/// One forward pass in eval mode.
/// @param topChannels keeps the n channels of the greatest variance; 0 keeps all
ScoreSubject scoreSubject(Network& network, const at::Tensor& images, const at::Tensor& given, const Question& question,
                          int64_t topChannels);

/// Class logits of the images seen through channels: pairs `from` to `to` - 1 of the B n pairs of image and channel, in one
/// forward pass in eval mode.
at::Tensor channelScores(Network& network, const at::Tensor& images, const ScoreSubject& subject, int64_t from, int64_t to);

/// Maps [B, height, width] from the scores [B, n]: w = softmax of the scores, raw = max(0, sum w_k A_k).
RawMap fromScores(const at::Tensor& activation, const at::Tensor& channels, const at::Tensor& scores);

}  // namespace cxr::cam
