#include "nn/unet.h"

#include <ATen/ATen.h>
#include <c10/util/StringUtil.h>
#include <torch/nn/modules/conv.h>

#include "nn/batch_norm.h"

namespace cxr {
namespace {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;
using torch::nn::ConvTranspose2d;
using torch::nn::ConvTranspose2dOptions;

constexpr size_t kLevels = 4;
constexpr int64_t kWidth = 64;              // of the first level as published; doubled at each further one
constexpr int64_t kStep = 1 << kLevels;     // pixels of the image that are one of the deepest level

/// Twice a 3x3 convolution, batch normalisation and ReLU.
class Block : public torch::nn::Module {
 public:
  Block(int64_t in, int64_t out)
      : conv1_(register_module("conv1", convolution(in, out))),
        bn1_(register_module("bn1", BatchNorm2d(out))),
        conv2_(register_module("conv2", convolution(out, out))),
        bn2_(register_module("bn2", BatchNorm2d(out))) {}
  at::Tensor forward(const at::Tensor& x) {
    const auto y = bn1_->forward(conv1_->forward(x)).relu_();
    return bn2_->forward(conv2_->forward(y)).relu_();
  }

 private:
  static Conv2d convolution(int64_t in, int64_t out) { return Conv2d(Conv2dOptions(in, out, 3).padding(1)); }

  Conv2d conv1_;
  BatchNorm2d bn1_;
  Conv2d conv2_;
  BatchNorm2d bn2_;
};

/// Key `conv`; the pooling after it has no weights.
class Encoder : public torch::nn::Module {
 public:
  Encoder(int64_t in, int64_t out) : conv_(register_module("conv", std::make_shared<Block>(in, out))) {}
  at::Tensor forward(const at::Tensor& x) { return conv_->forward(x); }

 private:
  std::shared_ptr<Block> conv_;
};

/// Doubles the sides, joins what the encoder saw at that size: keys `up`, `conv`.
class Decoder : public torch::nn::Module {
 public:
  Decoder(int64_t in, int64_t out)
      : up_(register_module("up", ConvTranspose2d(ConvTranspose2dOptions(in, out, 2).stride(2)))),
        conv_(register_module("conv", std::make_shared<Block>(2 * out, out))) {}
  at::Tensor forward(const at::Tensor& x, const at::Tensor& skip, Taps& taps, const std::string& name) {
    const auto up = taps(name + ".up", up_->forward(x));
    return taps(name, conv_->forward(at::cat({up, skip}, 1)));
  }

 private:
  ConvTranspose2d up_;
  std::shared_ptr<Block> conv_;
};

class Unet : public Network {
 public:
  explicit Unet(int64_t first) {
    int64_t in = 3;
    for (size_t i = 0; i < kLevels; ++i) {
      const int64_t width = first << i;
      encoders_[i] = register_module(encoderName(i), std::make_shared<Encoder>(in, width));
      in = width;
    }
    bottom_ = register_module("b", std::make_shared<Block>(in, 2 * in));
    for (size_t i = 0; i < kLevels; ++i) {
      const int64_t width = first << (kLevels - 1 - i);
      decoders_[i] = register_module(decoderName(i), std::make_shared<Decoder>(2 * width, width));
    }
    outputs_ = register_module("outputs", Conv2d(Conv2dOptions(first, 1, 1)));
  }

  at::Tensor forward(const at::Tensor& images, Taps& taps) override {
    check(images);
    std::array<at::Tensor, kLevels> skips;
    auto x = images;
    for (size_t i = 0; i < kLevels; ++i) {
      skips[i] = taps(encoderName(i) + ".conv", encoders_[i]->forward(x));  // [B, 64 2^i, H/2^i, ..]
      x = taps(encoderName(i) + ".pool", at::max_pool2d(skips[i], 2));
    }
    x = taps("b", bottom_->forward(x));  // [B, 1024, H/16, ..]
    for (size_t i = 0; i < kLevels; ++i) {
      auto& skip = skips[kLevels - 1 - i];
      x = decoders_[i]->forward(x, skip, taps, decoderName(i));  // [B, 512 / 2^i, H/2^(3-i), ..]
      skip = at::Tensor();                                       // its memory, where no graph holds it
    }
    return outputs_->forward(x);  // [B, 1, H, W]
  }

  std::vector<std::string> tapNames() const override {
    std::vector<std::string> names;
    for (size_t i = 0; i < kLevels; ++i) {
      names.push_back(encoderName(i) + ".conv");
      names.push_back(encoderName(i) + ".pool");
    }
    names.push_back("b");
    for (size_t i = 0; i < kLevels; ++i) {
      names.push_back(decoderName(i) + ".up");
      names.push_back(decoderName(i));
    }
    return names;
  }

  /// None: there is no class to explain.
  std::string camLayer() const override { return ""; }

 private:
  static std::string encoderName(size_t i) { return "e" + std::to_string(i + 1); }
  static std::string decoderName(size_t i) { return "d" + std::to_string(i + 1); }

  static void check(const at::Tensor& images) {
    if (images.dim() == 4 && images.size(0) > 0 && images.size(1) == 3 && images.size(2) > 0 && images.size(3) > 0 &&
        images.size(2) % kStep == 0 && images.size(3) % kStep == 0) {
      return;
    }
    throw invalidShape("Expected [B, 3, H, W], not empty, with sides that are multiples of 16, for images but received " +
                       c10::str(images.sizes()));
  }

  std::array<std::shared_ptr<Encoder>, kLevels> encoders_;
  std::shared_ptr<Block> bottom_;
  std::array<std::shared_ptr<Decoder>, kLevels> decoders_;
  Conv2d outputs_{nullptr};
};

}  // namespace

void registerUnet(NetworkRegistry& registry) {
  registry.addArchitecture("unet", [](const Options& options) -> NetworkRegistry::Factory {
    const int64_t width = options.integer("width", kWidth);
    if (width < 1 || width > 1024)
      throw invalidArgument(c10::str("Expected 1 to 1024 for width but received ", width));
    return [width] { return std::make_shared<Unet>(width); };
  });
}

}  // namespace cxr
