// What the two encoders of GazeLT's teachers have in common.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <array>
#include <memory>
#include <string>

#include "nn/layers.h"
#include "nn/network.h"

namespace cxr {

/// One level of an encoder: its blocks, then the reduction to the next level's size where there is one.
class GazeLevel : public torch::nn::Module {
 public:
  /// [B, h, w, C] -> [B, h', w', C']
  virtual at::Tensor forward(const at::Tensor& x) = 0;
};

/// A hierarchical encoder of 224 px images with four levels; tensors are channels-last.
class GazeEncoder : public torch::nn::Module {
 public:
  static constexpr int64_t kSize = 224;
  static constexpr size_t kLevels = 4;

  /// The output of each level, offered to `taps` as `level0` .. `level3` in the original's shape.
  /// @param images [B, 3, 224, 224]
  /// @returns [B, h, w, C] with sides 28, 14, 7, 7
  std::array<at::Tensor, kLevels> levels(const at::Tensor& images, Taps& taps) {
    auto x = embed(images);
    std::array<at::Tensor, kLevels> outputs;
    for (size_t i = 0; i < kLevels; ++i) {
      x = offer(taps, "level" + std::to_string(i), levels_[i]->forward(x));
      outputs[i] = x;
    }
    return outputs;
  }

  /// The feature map: the last level under the last LayerNorm, [B, 7, 7, C].
  virtual at::Tensor features(const at::Tensor& lastLevel) = 0;

  /// Channels of each level.
  virtual std::array<int64_t, kLevels> widths() const = 0;

 protected:
  /// Registers the levels under `key`.
  /// @param depths blocks of each level
  /// @param make (level, number of its first block among all) -> shared_ptr of it
  template <typename Make>
  void addLevels(const std::string& key, const std::array<int64_t, kLevels>& depths, Make make) {
    auto levels = register_module(key, std::make_shared<Numbered>());
    int64_t first = 0;
    for (size_t i = 0; i < kLevels; ++i) {
      levels_[i] = levels->register_module(std::to_string(i), make(i, first));
      first += depths[i];
    }
  }

  /// images [B, 3, 224, 224] -> [B, 56, 56, C]
  virtual at::Tensor embed(const at::Tensor& images) = 0;

  /// Offers a level's output in the original's shape and returns what the encoder goes on with.
  virtual at::Tensor offer(Taps& taps, const std::string& name, const at::Tensor& level) { return taps(name, level); }

 private:
  std::array<std::shared_ptr<GazeLevel>, kLevels> levels_;
};

/// GC ViT tiny.
/// @param dropPath rate of the last block
std::shared_ptr<GazeEncoder> makeGcVit(double dropPath);

/// FocalNet tiny, small receptive field.
/// @param dropPath rate of the last block
std::shared_ptr<GazeEncoder> makeFocalNet(double dropPath);

}  // namespace cxr
