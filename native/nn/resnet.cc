#include "nn/resnet.h"

#include <ATen/ATen.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/conv.h>

#include "nn/batch_norm.h"
#include "nn/head.h"
#include "nn/layers.h"

namespace cxr {
namespace {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;

Conv2d convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  Conv2d conv(Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
  torch::nn::init::kaiming_normal_(conv->weight, 0.0, torch::kFanOut, torch::kReLU);
  return conv;
}

/// The shortcut of a block whose shape changes: keys `downsample.0`, `downsample.1`.
class Downsample : public torch::nn::Module {
 public:
  Downsample(int64_t in, int64_t out, int64_t stride)
      : conv_(register_module("0", convolution(in, out, 1, stride))), norm_(register_module("1", BatchNorm2d(out))) {}
  at::Tensor forward(const at::Tensor& x) { return norm_->forward(conv_->forward(x)); }

 private:
  Conv2d conv_;
  BatchNorm2d norm_;
};

class Block : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& x) = 0;

 protected:
  void addShortcut(int64_t in, int64_t out, int64_t stride) {
    if (stride != 1 || in != out) {
      shortcut_ = register_module("downsample", std::make_shared<Downsample>(in, out, stride));
    }
  }
  // In place: the sum's own value is not needed by the backward pass.
  at::Tensor join(at::Tensor out, const at::Tensor& x) {
    out.add_(shortcut_ ? shortcut_->forward(x) : x);
    return out.relu_();
  }

 private:
  std::shared_ptr<Downsample> shortcut_;
};

class BasicBlock : public Block {
 public:
  static constexpr int64_t kExpansion = 1;
  BasicBlock(int64_t in, int64_t width, int64_t stride)
      : conv1_(register_module("conv1", convolution(in, width, 3, stride))),
        bn1_(register_module("bn1", BatchNorm2d(width))),
        conv2_(register_module("conv2", convolution(width, width, 3, 1))),
        bn2_(register_module("bn2", BatchNorm2d(width))) {
    addShortcut(in, width, stride);
  }
  at::Tensor forward(const at::Tensor& x) override {
    auto out = bn1_->forward(conv1_->forward(x)).relu_();
    return join(bn2_->forward(conv2_->forward(out)), x);
  }

 private:
  Conv2d conv1_;
  BatchNorm2d bn1_;
  Conv2d conv2_;
  BatchNorm2d bn2_;
};

/// The stride sits in the 3x3 convolution (torchvision's "v1.5").
class Bottleneck : public Block {
 public:
  static constexpr int64_t kExpansion = 4;
  Bottleneck(int64_t in, int64_t width, int64_t stride)
      : conv1_(register_module("conv1", convolution(in, width, 1, 1))),
        bn1_(register_module("bn1", BatchNorm2d(width))),
        conv2_(register_module("conv2", convolution(width, width, 3, stride))),
        bn2_(register_module("bn2", BatchNorm2d(width))),
        conv3_(register_module("conv3", convolution(width, width * kExpansion, 1, 1))),
        bn3_(register_module("bn3", BatchNorm2d(width * kExpansion))) {
    addShortcut(in, width * kExpansion, stride);
  }
  at::Tensor forward(const at::Tensor& x) override {
    auto out = bn1_->forward(conv1_->forward(x)).relu_();
    out = bn2_->forward(conv2_->forward(out)).relu_();
    return join(bn3_->forward(conv3_->forward(out)), x);
  }

 private:
  Conv2d conv1_;
  BatchNorm2d bn1_;
  Conv2d conv2_;
  BatchNorm2d bn2_;
  Conv2d conv3_;
  BatchNorm2d bn3_;
};

/// Holds a stage's blocks under their numbers; `ResNet` runs them one by one, because each is a tap.
class Stage : public torch::nn::Module {};

template <typename BlockType>
class ResNet : public Network {
 public:
  /// `channels` of the stem and of the first stage's blocks; 64 as published.
  ResNet(const std::array<int64_t, 4>& depths, int64_t channels, const HeadOptions& head)
      : conv1_(register_module("conv1", stem(channels))), bn1_(register_module("bn1", BatchNorm2d(channels))) {
    int64_t in = channels;
    for (size_t stage = 0; stage < depths.size(); ++stage) {
      const int64_t width = channels << stage;
      auto layer = register_module("layer" + std::to_string(stage + 1), std::make_shared<Stage>());
      for (int64_t k = 0; k < depths[stage]; ++k) {
        const int64_t stride = k == 0 && stage > 0 ? 2 : 1;
        auto block = layer->register_module(std::to_string(k), std::make_shared<BlockType>(in, width, stride));
        blocks_[stage].push_back(block);
        in = width * BlockType::kExpansion;
      }
    }
    head_ = std::make_unique<Head>(*this, head, in);
  }

  at::Tensor forward(const at::Tensor& images, Taps& taps) override {
    auto x = taps("conv1", conv1_->forward(images));
    x = rectified(taps, "bn1", bn1_->forward(x));              // [B, c, H/2, W/2]
    x = taps("maxpool", at::max_pool2d(x, 3, 2, 1));           // [B, c, H/4, W/4]
    for (size_t stage = 0; stage < blocks_.size(); ++stage) {  // [B, c e 2^stage, H/2^(2+stage), ..]
      for (size_t k = 0; k < blocks_[stage].size(); ++k) {
        x = taps(blockName(stage, k), blocks_[stage][k]->forward(x));
      }
    }
    x = at::adaptive_avg_pool2d(x, {1, 1}).flatten(1);  // [B, F]
    return head_->forward(taps("avgpool", x), taps);
  }

  std::vector<std::string> tapNames() const override {
    std::vector<std::string> names = {"conv1", "bn1", "maxpool"};
    for (size_t stage = 0; stage < blocks_.size(); ++stage) {
      for (size_t k = 0; k < blocks_[stage].size(); ++k) names.push_back(blockName(stage, k));
    }
    names.push_back("avgpool");
    for (auto& name : head_->tapNames()) names.push_back(name);
    return names;
  }

  std::string camLayer() const override { return blockName(3, blocks_[3].size() - 1); }

  at::Tensor poolingHead() const override { return head_->weight(); }

 private:
  static Conv2d stem(int64_t channels) {
    Conv2d conv(Conv2dOptions(3, channels, 7).stride(2).padding(3).bias(false));
    torch::nn::init::kaiming_normal_(conv->weight, 0.0, torch::kFanOut, torch::kReLU);
    return conv;
  }
  static std::string blockName(size_t stage, size_t k) {
    return "layer" + std::to_string(stage + 1) + "." + std::to_string(k);
  }

  Conv2d conv1_;
  BatchNorm2d bn1_;
  std::array<std::vector<std::shared_ptr<Block>>, 4> blocks_;
  std::unique_ptr<Head> head_;
};

template <typename BlockType>
void add(NetworkRegistry& registry, const std::string& name, std::array<int64_t, 4> depths) {
  registry.addArchitecture(name, [depths](const Options& options) -> NetworkRegistry::Factory {
    const auto head = HeadOptions::from(options);
    const auto channels = options.integer("width", 64);
    return [depths, channels, head] { return std::make_shared<ResNet<BlockType>>(depths, channels, head); };
  });
}

}  // namespace

void registerResNets(NetworkRegistry& registry) {
  add<BasicBlock>(registry, "resnet18", {2, 2, 2, 2});
  add<BasicBlock>(registry, "resnet34", {3, 4, 6, 3});
  add<Bottleneck>(registry, "resnet50", {3, 4, 6, 3});
  add<Bottleneck>(registry, "resnet101", {3, 4, 23, 3});
}

}  // namespace cxr
