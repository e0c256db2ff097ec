// What the two encoders of GazeLT's teachers have in common.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <array>
#include <memory>

#include "nn/network.h"

namespace cxr {

/// A hierarchical encoder of 224 px images with four levels; tensors are channels-last.
class GazeEncoder : public torch::nn::Module {
 public:
  static constexpr int64_t kSize = 224;
  static constexpr size_t kLevels = 4;

  /// The output of each level, offered to `taps` as `level0` .. `level3` in the original's shape.
  /// @param images [B, 3, 224, 224]
  /// @returns [B, h, w, C] with sides 28, 14, 7, 7
  virtual std::array<at::Tensor, kLevels> levels(const at::Tensor& images, Taps& taps) = 0;

  /// The feature map: the last level under the last LayerNorm, [B, 7, 7, C].
  virtual at::Tensor features(const at::Tensor& lastLevel) = 0;

  /// Channels of each level.
  virtual std::array<int64_t, kLevels> widths() const = 0;
};

/// GC ViT tiny.
/// @param dropPath rate of the last block
std::shared_ptr<GazeEncoder> makeGcVit(double dropPath);

/// FocalNet tiny, small receptive field.
/// @param dropPath rate of the last block
std::shared_ptr<GazeEncoder> makeFocalNet(double dropPath);

}  // namespace cxr
