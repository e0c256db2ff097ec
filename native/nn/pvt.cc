// PVT v2 (Wang et al., "PVT v2: Improved Baselines with Pyramid Vision Transformer", Computational Visual Media 2022) with
// the keys of timm's `pvt_v2.py`. Tokens of a batch are the rows of a matrix [B N, D], image by image, row by row: what a
// channels-last image is in memory, so that convolutions see them as [B, D, H, W] without a copy, and linear layers give
// no view, into which nothing could be added in place without a cost in the backward pass.
#include "nn/pvt.h"

#include <ATen/ATen.h>
#include <c10/util/StringUtil.h>

#include "nn/head.h"
#include "nn/layers.h"
#include "nn/pooled_attention.h"

namespace cxr {
namespace {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;
using torch::nn::LayerNorm;
using torch::nn::Linear;

constexpr size_t kStages = 4;
constexpr std::array<int64_t, kStages> kHeads{1, 2, 5, 8};
constexpr std::array<int64_t, kStages> kReductions{8, 4, 2, 1};  // of the sides of keys and values, without pooling
constexpr int64_t kPooled = 7;                                   // side of keys and values, with pooling
constexpr double kBlockEps = 1e-6;  // of the norms of blocks and stages; those of embeddings and attention have 1e-5

struct Sizes {
  const char* name;
  std::array<int64_t, kStages> depths, widths, ratios;
  bool pools;  ///< the "linear" attention: keys and values of pooled tokens
};

constexpr std::array<int64_t, kStages> kWide{64, 128, 320, 512};
constexpr std::array<int64_t, kStages> kRatios{8, 8, 4, 4};
constexpr std::array<Sizes, 7> kSizes{{
    {"pvt_v2_b0", {2, 2, 2, 2}, {32, 64, 160, 256}, kRatios, false},
    {"pvt_v2_b1", {2, 2, 2, 2}, kWide, kRatios, false},
    {"pvt_v2_b2", {3, 4, 6, 3}, kWide, kRatios, false},
    {"pvt_v2_b2_li", {3, 4, 6, 3}, kWide, kRatios, true},
    {"pvt_v2_b3", {3, 4, 18, 3}, kWide, kRatios, false},
    {"pvt_v2_b4", {3, 8, 27, 3}, kWide, kRatios, false},
    {"pvt_v2_b5", {3, 6, 40, 3}, kWide, {4, 4, 4, 4}, false},
}};

struct Grid {
  int64_t batch, height, width;
  int64_t tokens() const { return height * width; }
};

/// [B N, D] -> [B, D, H, W], channels-last
at::Tensor imageOf(const at::Tensor& tokens, const Grid& grid) {
  return tokens.view({grid.batch, grid.height, grid.width, tokens.size(1)}).permute({0, 3, 1, 2});
}

/// [B, D, H, W] -> [B N, D]
at::Tensor tokensOf(const at::Tensor& image) {
  const int64_t rows = image.size(0) * image.size(2) * image.size(3);
  return image.permute({0, 2, 3, 1}).reshape({rows, image.size(1)});
}

/// Weights from N(0, 2 / (k² out / groups)), biases 0, as timm draws them.
Conv2d convolution(const Conv2dOptions& options) {
  Conv2d conv(options);
  at::NoGradGuard constant;
  const auto& sizes = conv->weight.sizes();
  const double fanOut = static_cast<double>(sizes[0] * sizes[2] * sizes[3]) / static_cast<double>(options.groups());
  conv->weight.normal_(0, std::sqrt(2 / fanOut));
  conv->bias.zero_();
  return conv;
}

/// Overlapping patches: keys `proj`, `norm`.
class Embedding : public torch::nn::Module {
 public:
  Embedding(int64_t in, int64_t out, int64_t patch, int64_t stride)
      : proj_(register_module("proj",
                              convolution(Conv2dOptions(in, out, patch).stride(stride).padding(patch / 2)))),
        norm_(register_module("norm", layerNorm(out))) {}
  /// @param x [B, C, H, W], channels-last
  /// @param grid becomes that of the tokens
  at::Tensor forward(const at::Tensor& x, Grid& grid) {
    const auto y = proj_->forward(x);
    grid = {y.size(0), y.size(2), y.size(3)};
    return norm_->forward(tokensOf(y));
  }

 private:
  Conv2d proj_;
  LayerNorm norm_;
};

/// All tokens ask a smaller grid of tokens: of 7 x 7 places (pooled), or of patches of reduction x reduction.
class Attention : public torch::nn::Module {
 public:
  Attention(int64_t width, int64_t heads, int64_t reduction, bool pools)
      : heads_(heads),
        pools_(pools),
        q_(register_module("q", smallLinear(width, width))),
        kv_(register_module("kv", smallLinear(width, 2 * width))),
        proj_(register_module("proj", smallLinear(width, width))) {
    if (!pools && reduction == 1) return;
    const int64_t patch = pools ? 1 : reduction;
    sr_ = register_module("sr", convolution(Conv2dOptions(width, width, patch).stride(patch)));
    norm_ = register_module("norm", layerNorm(width));
  }
  at::Tensor forward(const at::Tensor& x, const Grid& grid) {
    const int64_t each = x.size(1) / heads_;
    const auto q = q_->forward(x).view({grid.batch, grid.tokens(), heads_, each});
    const auto kv = kv_->forward(asked(x, grid));
    const int64_t count = grid.batch == 0 ? 0 : kv.size(0) / grid.batch;
    return proj_->forward(attendPooled(q, kv.view({grid.batch, count, 2, heads_, each})));
  }

 private:
  at::Tensor asked(const at::Tensor& x, const Grid& grid) {
    if (pools_) {
      const bool fits = grid.height == kPooled && grid.width == kPooled;
      const auto pooled = fits ? x : tokensOf(at::adaptive_avg_pool2d(imageOf(x, grid), {kPooled, kPooled}));
      return at::gelu(norm_->forward(at::linear(pooled, sr_->weight.flatten(1), sr_->bias)));
    }
    if (!sr_) return x;
    const auto cut = patches(x.view({grid.batch, grid.height, grid.width, x.size(1)}), sr_);
    return norm_->forward(cut.flatten(0, 2));
  }

  int64_t heads_;
  bool pools_;
  Linear q_;
  Linear kv_;
  Linear proj_;
  Conv2d sr_{nullptr};
  LayerNorm norm_{nullptr};
};

/// Two linear layers with a depthwise convolution and a GELU between.
class ConvMlp : public torch::nn::Module {
 public:
  /// @param rectifies a ReLU before the convolution, which the pooling variant has
  ConvMlp(int64_t width, int64_t hidden, bool rectifies)
      : fc1_(register_module("fc1", smallLinear(width, hidden))),
        dwconv_(register_module("dwconv", convolution(Conv2dOptions(hidden, hidden, 3).padding(1).groups(hidden)))),
        fc2_(register_module("fc2", smallLinear(hidden, width))),
        rectifies_(rectifies) {}
  at::Tensor forward(const at::Tensor& x, const Grid& grid) {
    auto y = fc1_->forward(x);
    if (rectifies_) y = y.relu_();
    // As rows before the GELU, which is several times slower on an image that is channels-last.
    return fc2_->forward(at::gelu(tokensOf(dwconv_->forward(imageOf(y, grid)))));
  }

 private:
  Linear fc1_;
  Conv2d dwconv_;
  Linear fc2_;
  bool rectifies_;
};

class Block : public torch::nn::Module {
 public:
  Block(int64_t width, int64_t heads, int64_t reduction, int64_t ratio, bool pools)
      : norm1_(register_module("norm1", layerNorm(width, kBlockEps))),
        attn_(register_module("attn", std::make_shared<Attention>(width, heads, reduction, pools))),
        norm2_(register_module("norm2", layerNorm(width, kBlockEps))),
        mlp_(register_module("mlp", std::make_shared<ConvMlp>(width, ratio * width, pools))) {}
  at::Tensor forward(at::Tensor x, const Grid& grid, Taps& taps, const std::string& name) {
    x = join(x, attn_->forward(norm1_->forward(x), grid), grid, taps, name + ".attn");
    return join(x, mlp_->forward(norm2_->forward(x), grid), grid, taps, name + ".mlp");
  }

 private:
  static at::Tensor join(const at::Tensor& x, const at::Tensor& branch, const Grid& grid, Taps& taps,
                         const std::string& name) {
    if (!taps.wants(name)) return residual(x, branch);
    // The tap keeps the branch's own values: nothing may be added to them.
    return x + taps(name, branch.view({grid.batch, grid.tokens(), x.size(1)})).view(x.sizes());
  }

  LayerNorm norm1_;
  std::shared_ptr<Attention> attn_;
  LayerNorm norm2_;
  std::shared_ptr<ConvMlp> mlp_;
};

class Stage : public torch::nn::Module {
 public:
  Stage(const Sizes& sizes, size_t i) {
    const int64_t width = sizes.widths[i];
    if (i > 0) {
      downsample_ = register_module("downsample", std::make_shared<Embedding>(sizes.widths[i - 1], width, 3, 2));
    }
    auto blocks = register_module("blocks", std::make_shared<Numbered>());
    for (int64_t k = 0; k < sizes.depths[i]; ++k) {
      blocks_.push_back(blocks->register_module(
          std::to_string(k), std::make_shared<Block>(width, kHeads[i], kReductions[i], sizes.ratios[i], sizes.pools)));
    }
    norm_ = register_module("norm", layerNorm(width, kBlockEps));
  }

  /// @param x tokens in the first stage, else the image of the stage before
  /// @param grid of x; becomes that of the result
  /// @returns [B, D, H, W], channels-last
  at::Tensor forward(at::Tensor x, Grid& grid, Taps& taps, const std::string& name) {
    if (downsample_) x = tapped(taps, name + ".downsample", downsample_->forward(x, grid), grid);
    for (size_t k = 0; k < blocks_.size(); ++k) {
      x = blocks_[k]->forward(x, grid, taps, name + ".blocks." + std::to_string(k));
    }
    return taps(name, imageOf(norm_->forward(x), grid));
  }

  /// Offers tokens as [B, H, W, D].
  static at::Tensor tapped(Taps& taps, const std::string& name, const at::Tensor& x, const Grid& grid) {
    if (!taps.wants(name)) return x;
    return taps(name, x.view({grid.batch, grid.height, grid.width, x.size(1)})).view(x.sizes());
  }

  size_t depth() const { return blocks_.size(); }

 private:
  std::shared_ptr<Embedding> downsample_;
  std::vector<std::shared_ptr<Block>> blocks_;
  LayerNorm norm_{nullptr};
};

class Pvt : public Network {
 public:
  Pvt(const Sizes& sizes, const HeadOptions& head)
      : patchEmbedding_(register_module("patch_embed", std::make_shared<Embedding>(3, sizes.widths[0], 7, 4))),
        leastSide_(sizes.pools ? 1 : 4 * (kReductions[0] - 1) + 1) {
    auto stages = register_module("stages", std::make_shared<Numbered>());
    for (size_t i = 0; i < kStages; ++i) {
      stages_[i] = stages->register_module(std::to_string(i), std::make_shared<Stage>(sizes, i));
    }
    head_ = std::make_unique<Head>(*this, head, sizes.widths[kStages - 1], "head");
    head_->drawSmall();
  }

  at::Tensor forward(const at::Tensor& images, Taps& taps) override {
    check(images);
    Grid grid{};
    auto x = patchEmbedding_->forward(images.contiguous(at::MemoryFormat::ChannelsLast), grid);  // [B H/4 W/4, D]
    x = Stage::tapped(taps, "patch_embed", x, grid);
    for (size_t i = 0; i < kStages; ++i) x = stages_[i]->forward(x, grid, taps, stageName(i));
    return head_->forward(x.mean({2, 3}), taps);  // [B, 512, H/32, W/32] -> [B, C]
  }

  std::vector<std::string> tapNames() const override {
    std::vector<std::string> names{"patch_embed"};
    for (size_t i = 0; i < kStages; ++i) {
      if (i > 0) names.push_back(stageName(i) + ".downsample");
      for (size_t k = 0; k < stages_[i]->depth(); ++k) {
        const auto block = stageName(i) + ".blocks." + std::to_string(k);
        names.push_back(block + ".attn");
        names.push_back(block + ".mlp");
      }
      names.push_back(stageName(i));
    }
    for (auto& name : head_->tapNames()) names.push_back(name);
    return names;
  }

  std::string camLayer() const override { return stageName(kStages - 1); }

  at::Tensor poolingHead() const override { return head_->weight(); }

  bool hasChannelsLast(const std::string& tap) const override {
    return tap == "patch_embed" || tap.ends_with(".downsample");
  }

 private:
  static std::string stageName(size_t i) { return "stages." + std::to_string(i); }

  // The first stage's patches of 8 x 8 tokens must fit once: any larger image does, at the cost of its last rows there.
  void check(const at::Tensor& images) const {
    if (images.dim() == 4 && images.size(1) == 3 && images.size(2) >= leastSide_ && images.size(3) >= leastSide_) return;
    throw invalidShape("Expected [B, 3, H, W] with sides of at least " + std::to_string(leastSide_) +
                       " for images but received " + c10::str(images.sizes()));
  }

  std::shared_ptr<Embedding> patchEmbedding_;
  int64_t leastSide_;
  std::array<std::shared_ptr<Stage>, kStages> stages_;
  std::unique_ptr<Head> head_;
};

}  // namespace

void registerPvts(NetworkRegistry& registry) {
  for (const auto& sizes : kSizes) {
    registry.addArchitecture(sizes.name, [sizes](const Options& options) -> NetworkRegistry::Factory {
      const auto head = HeadOptions::from(options);
      return [sizes, head] { return std::make_shared<Pvt>(sizes, head); };
    });
  }
}

}  // namespace cxr
