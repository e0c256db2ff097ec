// GC ViT tiny (Hatamizadeh et al., "Global Context Vision Transformers", ICML 2023) with the keys of
// `lordmoinak1/gazelt: src/gaze_models.py`. Tensors are channels-last, [B, H, W, C]; convolutions see them as
// channels-last [B, C, H, W] without a copy.
#include <ATen/ATen.h>

#include <algorithm>

#include "nn/gaze_encoder.h"
#include "nn/layers.h"
#include "nn/window_attention.h"

namespace cxr {
namespace {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;
using torch::nn::LayerNorm;
using torch::nn::Linear;

at::Tensor channelsFirst(const at::Tensor& x) { return x.permute({0, 3, 1, 2}); }
at::Tensor channelsLast(const at::Tensor& x) { return x.permute({0, 2, 3, 1}); }

/// Squeeze and excitation (Hu et al. 2018): channel weights from the spatial mean. Keys `fc.0`, `fc.2`.
class Excitation : public torch::nn::Module {
 public:
  explicit Excitation(int64_t width) {
    auto fc = register_module("fc", std::make_shared<Numbered>());
    narrow_ = fc->register_module("0", smallLinear(width, width / 4, /*bias=*/false));
    widen_ = fc->register_module("2", smallLinear(width / 4, width, /*bias=*/false));
  }
  /// [B, H, W, C] -> [B, H, W, C]
  at::Tensor forward(const at::Tensor& x) {
    auto weights = at::sigmoid(widen_->forward(at::gelu(narrow_->forward(x.mean({1, 2})))));  // [B, C]
    return x * weights.unsqueeze(1).unsqueeze(1);
  }

 private:
  Linear narrow_{nullptr};
  Linear widen_{nullptr};
};

/// Depthwise 3x3, GELU, excitation, 1x1. Keys `0`, `2.fc.*`, `3`.
class Mix : public torch::nn::Module {
 public:
  explicit Mix(int64_t width)
      : depthwise_(register_module("0", depthwise(width, 3))),
        excitation_(register_module("2", std::make_shared<Excitation>(width))),
        pointwise_(register_module("3", Conv2d(Conv2dOptions(width, width, 1).bias(false)))) {}
  /// [B, H, W, C] -> [B, H, W, C]
  at::Tensor forward(const at::Tensor& x) {
    auto y = at::gelu(channelsLast(depthwise_->forward(channelsFirst(x))));
    return at::linear(excitation_->forward(y), pointwise_->weight.flatten(1));
  }

 private:
  Conv2d depthwise_;
  std::shared_ptr<Excitation> excitation_;
  Conv2d pointwise_;
};

/// Halves the sides: [B, H, W, d] -> [B, H/2, W/2, e].
class Reduce : public torch::nn::Module {
 public:
  Reduce(int64_t in, int64_t out)
      : mix_(register_module("conv", std::make_shared<Mix>(in))),
        reduction_(register_module("reduction",
                                   Conv2d(Conv2dOptions(in, out, 3).stride(2).padding(1).bias(false)))),
        norm2_(register_module("norm2", layerNorm(out))),
        norm1_(register_module("norm1", layerNorm(in))) {}
  at::Tensor forward(const at::Tensor& input) {
    auto x = norm1_->forward(input);
    x = residual(x, mix_->forward(x));
    return norm2_->forward(channelsLast(reduction_->forward(channelsFirst(x))));
  }

 private:
  std::shared_ptr<Mix> mix_;
  Conv2d reduction_;
  LayerNorm norm2_;
  LayerNorm norm1_;
};

/// 224 -> 56.
class PatchEmbedding : public torch::nn::Module {
 public:
  explicit PatchEmbedding(int64_t width)
      : proj_(register_module("proj", Conv2d(Conv2dOptions(3, width, 3).stride(2).padding(1)))),
        reduce_(register_module("conv_down", std::make_shared<Reduce>(width, width))) {}
  at::Tensor forward(const at::Tensor& images) {
    auto x = proj_->forward(images.contiguous(at::MemoryFormat::ChannelsLast));  // [B, C, 112, 112]
    return reduce_->forward(channelsLast(x));                                    // [B, 56, 56, C]
  }

 private:
  Conv2d proj_;
  std::shared_ptr<Reduce> reduce_;
};

/// One step towards the global query, key `conv`: x + Mix(x), and a pooling where the level shrinks.
class QueryStep : public torch::nn::Module {
 public:
  QueryStep(int64_t width, bool pool)
      : mix_(register_module("conv", std::make_shared<Mix>(width))), pool_(pool) {}
  at::Tensor forward(const at::Tensor& x) {
    auto y = residual(x, mix_->forward(x));
    return pool_ ? channelsLast(at::max_pool2d(channelsFirst(y), 3, 2, 1)) : y;
  }

 private:
  std::shared_ptr<Mix> mix_;
  bool pool_;
};

/// The level's query, from its input: key `to_q_global`.
class GlobalQuery : public torch::nn::Module {
 public:
  GlobalQuery(int64_t width, int64_t heads, int64_t poolings) : heads_(heads) {
    auto steps = register_module("to_q_global", std::make_shared<Numbered>());
    for (int64_t j = 0; j < std::max<int64_t>(poolings, 1); ++j) {
      steps_.push_back(steps->register_module(std::to_string(j), std::make_shared<QueryStep>(width, poolings > 0)));
    }
  }
  /// [B, r, r, C] -> [B, heads, s², 32]
  at::Tensor forward(at::Tensor x) {
    for (auto& step : steps_) x = step->forward(x);
    return x.reshape({x.size(0), x.size(1) * x.size(2), heads_, -1}).transpose(1, 2);
  }

 private:
  int64_t heads_;
  std::vector<std::shared_ptr<QueryStep>> steps_;
};

class Block : public torch::nn::Module {
 public:
  Block(const WindowOptions& options, double dropPath)
      : norm1_(register_module("norm1", layerNorm(options.width))),
        attn_(register_module("attn", std::make_shared<WindowAttention>(options))),
        norm2_(register_module("norm2", layerNorm(options.width))),
        mlp_(register_module("mlp", std::make_shared<Mlp>(options.width, 3 * options.width))),
        rate_(dropPath) {}
  /// @param x windows of all images, [B n, s², C]
  /// @param query [B, heads, s², 32]
  at::Tensor forward(at::Tensor x, const at::Tensor& query) {
    const int64_t batch = query.size(0);
    x = residual(x, dropPath(attn_->forward(norm1_->forward(x), query), batch, rate_, is_training()));
    return residual(x, dropPath(mlp_->forward(norm2_->forward(x)), batch, rate_, is_training()));
  }

 private:
  LayerNorm norm1_;
  std::shared_ptr<WindowAttention> attn_;
  LayerNorm norm2_;
  std::shared_ptr<Mlp> mlp_;
  double rate_;
};

struct LevelOptions {
  int64_t width, side, depth, heads, window;
  int64_t poolings;  ///< from the level's side to its window's
  bool shrinks;
};

constexpr std::array<LevelOptions, 4> kTiny{{{64, 56, 3, 2, 7, 3, true},
                                             {128, 28, 4, 4, 7, 2, true},
                                             {256, 14, 19, 8, 14, 0, true},
                                             {512, 7, 5, 16, 7, 0, false}}};
constexpr int64_t kBlocks = 31;

class Level : public GazeLevel {
 public:
  /// @param first number of its first block among all
  Level(const LevelOptions& options, int64_t first, double dropPath) : options_(options) {
    auto blocks = register_module("blocks", std::make_shared<Numbered>());
    for (int64_t k = 0; k < options.depth; ++k) {
      const WindowOptions window{options.width, options.heads, options.window, /*global=*/k % 2 == 1};
      blocks_.push_back(blocks->register_module(
          std::to_string(k), std::make_shared<Block>(window, dropPathRate(dropPath, first + k, kBlocks))));
    }
    if (options.shrinks) {
      downsample_ = register_module("downsample", std::make_shared<Reduce>(options.width, 2 * options.width));
    }
    query_ = register_module("q_global_gen",
                             std::make_shared<GlobalQuery>(options.width, options.heads, options.poolings));
  }
  /// [B, r, r, C] -> [B, r/2, r/2, 2C], or of the same shape in the last level.
  at::Tensor forward(const at::Tensor& input) override {
    const auto query = query_->forward(input);
    // All blocks of a level cut the same windows, and all else in them is local: cut once, join once.
    auto x = cut(input);
    for (auto& block : blocks_) x = block->forward(x, query);
    x = join(x, input.sizes());
    return downsample_ ? downsample_->forward(x) : x;
  }

 private:
  // [B, r, r, C] -> [B (r/s)², s², C], image by image, row by row
  at::Tensor cut(const at::Tensor& x) const {
    const int64_t s = options_.window, n = options_.side / s;
    return x.reshape({x.size(0), n, s, n, s, options_.width}).transpose(2, 3).reshape({-1, s * s, options_.width});
  }
  at::Tensor join(const at::Tensor& x, at::IntArrayRef sizes) const {
    const int64_t s = options_.window, n = options_.side / s;
    return x.view({sizes[0], n, n, s, s, options_.width}).transpose(2, 3).reshape(sizes);
  }

  LevelOptions options_;
  std::vector<std::shared_ptr<Block>> blocks_;
  std::shared_ptr<Reduce> downsample_;
  std::shared_ptr<GlobalQuery> query_;
};

class GcVit : public GazeEncoder {
 public:
  explicit GcVit(double dropPath)
      : patchEmbedding_(register_module("patch_embed", std::make_shared<PatchEmbedding>(kTiny[0].width))) {
    std::array<int64_t, kLevels> depths;
    std::transform(kTiny.begin(), kTiny.end(), depths.begin(), [](const LevelOptions& one) { return one.depth; });
    addLevels("levels", depths,
              [=](size_t i, int64_t first) { return std::make_shared<Level>(kTiny[i], first, dropPath); });
    norm_ = register_module("norm", layerNorm(kTiny[3].width));
    register_module("head", smallLinear(kTiny[3].width, 1000));  // in checkpoints, unused
  }

  at::Tensor features(const at::Tensor& lastLevel) override { return norm_->forward(lastLevel); }

  std::array<int64_t, kLevels> widths() const override { return {128, 256, 512, 512}; }

 protected:
  at::Tensor embed(const at::Tensor& images) override { return patchEmbedding_->forward(images); }

 private:
  std::shared_ptr<PatchEmbedding> patchEmbedding_;
  LayerNorm norm_{nullptr};
};

}  // namespace

std::shared_ptr<GazeEncoder> makeGcVit(double dropPath) { return std::make_shared<GcVit>(dropPath); }

}  // namespace cxr
