// From a level of a teacher's encoder to a gaze map.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/modules/conv.h>

#include <vector>

namespace cxr {

/// A 1x1 convolution to 3 · 32² channels (key `0`), a pixel shuffle by 32, then up to two 3->3 convolutions 2x2 of stride
/// 2, each with a ReLU (keys `2`, `4`).
class GazeDecoder : public torch::nn::Module {
 public:
  /// @param width channels of the level
  /// @param halvings 0, 1 or 2
  GazeDecoder(int64_t width, int64_t halvings);
  /// @param x [B, h, w, C]
  /// @returns [B, 3, 32 h / 2^halvings, ..]
  at::Tensor forward(const at::Tensor& x);

 private:
  struct Affine {
    at::Tensor weight, bias;
  };
  Affine folded() const;

  torch::nn::Conv2d spread_;
  std::vector<torch::nn::Conv2d> halvings_;
};

}  // namespace cxr
