// FocalNet tiny, small receptive field (Yang et al., "Focal Modulation Networks", NeurIPS 2022) with the keys of
// `lordmoinak1/gazelt: src/gaze_models.py`. Tensors are channels-last, [B, H, W, C].
#include <ATen/ATen.h>

#include "nn/gaze_encoder.h"
#include "nn/layers.h"

namespace cxr {
namespace {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;
using torch::nn::LayerNorm;
using torch::nn::Linear;

constexpr std::array<int64_t, 4> kDepths{2, 2, 6, 2};
constexpr int64_t kBlocks = 12;
constexpr int64_t kWidth = 96;

/// Convolution and LayerNorm: keys `proj`, `norm`.
class Embedding : public torch::nn::Module {
 public:
  Embedding(int64_t in, int64_t out, int64_t patch)
      : proj_(register_module("proj", Conv2d(Conv2dOptions(in, out, patch).stride(patch)))),
        norm_(register_module("norm", layerNorm(out))) {}
  at::Tensor forward(const at::Tensor& x) { return norm_->forward(patches(x, proj_)); }

 private:
  Conv2d proj_;
  LayerNorm norm_;
};

/// Focal modulation with two levels of context (3x3, then 5x5) and the mean of the image.
class Modulation : public torch::nn::Module {
 public:
  explicit Modulation(int64_t width)
      : width_(width),
        f_(register_module("f", smallLinear(width, 2 * width + 3))),
        h_(register_module("h", Conv2d(Conv2dOptions(width, width, 1)))),
        proj_(register_module("proj", smallLinear(width, width))) {
    auto layers = register_module("focal_layers", std::make_shared<Numbered>());
    for (int64_t level = 0; level < 2; ++level) {
      auto layer = layers->register_module(std::to_string(level), std::make_shared<Numbered>());
      contexts_.push_back(layer->register_module("0", depthwise(width, 3 + 2 * level)));
    }
  }
  /// [B, H, W, C] -> [B, H, W, C]
  at::Tensor forward(const at::Tensor& x) {
    const auto parts = f_->forward(x).split_with_sizes({width_, width_, 3}, -1);
    const auto gates = parts[2].split(1, -1);  // each [B, H, W, 1]
    auto context = parts[1];
    at::Tensor sum;
    for (size_t level = 0; level < contexts_.size(); ++level) {
      context = at::gelu(contexts_[level]->forward(context.permute({0, 3, 1, 2})).permute({0, 2, 3, 1}));
      sum = sum.defined() ? at::addcmul(sum, context, gates[level]) : context * gates[level];
    }
    sum = at::addcmul(sum, at::gelu(context.mean({1, 2}, /*keepdim=*/true)), gates[2]);
    return proj_->forward(parts[0] * at::linear(sum, h_->weight.flatten(1), h_->bias));
  }

 private:
  int64_t width_;
  Linear f_;
  Conv2d h_;
  Linear proj_;
  std::vector<Conv2d> contexts_;
};

class Block : public torch::nn::Module {
 public:
  Block(int64_t width, double dropPath)
      : norm1_(register_module("norm1", layerNorm(width))),
        modulation_(register_module("modulation", std::make_shared<Modulation>(width))),
        norm2_(register_module("norm2", layerNorm(width))),
        mlp_(register_module("mlp", std::make_shared<Mlp>(width, 4 * width))),
        rate_(dropPath) {}
  at::Tensor forward(at::Tensor x) {
    const int64_t batch = x.size(0);
    x = residual(x, dropPath(modulation_->forward(norm1_->forward(x)), batch, rate_, is_training()));
    return residual(x, dropPath(mlp_->forward(norm2_->forward(x)), batch, rate_, is_training()));
  }

 private:
  LayerNorm norm1_;
  std::shared_ptr<Modulation> modulation_;
  LayerNorm norm2_;
  std::shared_ptr<Mlp> mlp_;
  double rate_;
};

class Layer : public GazeLevel {
 public:
  /// @param first number of its first block among all
  Layer(int64_t width, int64_t depth, int64_t first, double dropPath, bool shrinks) {
    auto blocks = register_module("blocks", std::make_shared<Numbered>());
    for (int64_t k = 0; k < depth; ++k) {
      blocks_.push_back(blocks->register_module(
          std::to_string(k), std::make_shared<Block>(width, dropPathRate(dropPath, first + k, kBlocks))));
    }
    if (shrinks) downsample_ = register_module("downsample", std::make_shared<Embedding>(width, 2 * width, 2));
  }
  at::Tensor forward(const at::Tensor& input) override {
    auto x = input;
    for (auto& block : blocks_) x = block->forward(x);
    return downsample_ ? downsample_->forward(x) : x;
  }

 private:
  std::vector<std::shared_ptr<Block>> blocks_;
  std::shared_ptr<Embedding> downsample_;
};

class FocalNet : public GazeEncoder {
 public:
  explicit FocalNet(double dropPath)
      : patchEmbedding_(register_module("patch_embed", std::make_shared<Embedding>(3, kWidth, 4))) {
    addLevels("layers", kDepths, [=](size_t i, int64_t first) {
      return std::make_shared<Layer>(kWidth << i, kDepths[i], first, dropPath, /*shrinks=*/i + 1 < kLevels);
    });
    norm_ = register_module("norm", layerNorm(kWidth << 3));
    register_module("head", smallLinear(kWidth << 3, 1000));  // in checkpoints, unused
  }

  at::Tensor features(const at::Tensor& lastLevel) override { return norm_->forward(lastLevel); }

  std::array<int64_t, kLevels> widths() const override { return {192, 384, 768, 768}; }

 protected:
  at::Tensor embed(const at::Tensor& images) override { return patchEmbedding_->forward(images.permute({0, 2, 3, 1})); }

  // Tapped as the original's tokens, [B, H W, C].
  at::Tensor offer(Taps& taps, const std::string& name, const at::Tensor& level) override {
    return taps(name, level.flatten(1, 2)).view(level.sizes());
  }

 private:
  std::shared_ptr<Embedding> patchEmbedding_;
  LayerNorm norm_{nullptr};
};

}  // namespace

std::shared_ptr<GazeEncoder> makeFocalNet(double dropPath) { return std::make_shared<FocalNet>(dropPath); }

}  // namespace cxr
