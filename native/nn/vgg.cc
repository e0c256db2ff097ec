#include "nn/vgg.h"

#include <ATen/ATen.h>
#include <c10/util/StringUtil.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "nn/head.h"
#include "nn/layers.h"

namespace cxr {
namespace {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;

constexpr int64_t kPool = 0;  // among the multiples: a pooling that halves the sides
// In units of the network's width, 64 as published.
constexpr std::array<int64_t, 18> kLayout{1, 1, kPool, 2, 2, kPool, 4, 4, 4, kPool, 8, 8, 8, kPool, 8, 8, 8, kPool};
constexpr int64_t kLeastSide = 32;  // five poolings leave one pixel
constexpr int64_t kGrid = 7;        // side of what the classifier sees
constexpr int64_t kHidden = 64;     // numbers between the linear layers, in the same units

Conv2d convolution(int64_t in, int64_t out) {
  Conv2d conv(Conv2dOptions(in, out, 3).padding(1));
  torch::nn::init::kaiming_normal_(conv->weight, 0.0, torch::kFanOut, torch::kReLU);
  at::NoGradGuard constant;
  conv->bias.zero_();
  return conv;
}

/// A Linear with weights from N(0, 0.01²) and biases 0. Not LibTorch's own, which would draw a hundred million numbers
/// first that are thrown away.
class Dense : public torch::nn::Module {
 public:
  Dense(int64_t in, int64_t out)
      : weight_(register_parameter("weight", at::empty({out, in}).normal_(0, 0.01))),
        bias_(register_parameter("bias", at::zeros({out}))) {}
  at::Tensor forward(const at::Tensor& x) { return at::linear(x, weight_, bias_); }

 private:
  at::Tensor weight_, bias_;
};

class Vgg16 : public Network {
 public:
  Vgg16(int64_t width, const HeadOptions& head, double dropout) : dropout_(dropout) {
    auto features = register_module("features", std::make_shared<Numbered>());
    int64_t in = 3, index = 0;
    for (const int64_t multiple : kLayout) {
      if (multiple != kPool) {
        const int64_t out = multiple * width;
        convolutions_.push_back(features->register_module(std::to_string(index), convolution(in, out)));
        in = out;
      }
      index += multiple == kPool ? 1 : 2;  // a ReLU after each convolution
    }
    const int64_t hidden = kHidden * width;
    auto classifier = register_module("classifier", std::make_shared<Numbered>());
    first_ = classifier->register_module("0", std::make_shared<Dense>(in * kGrid * kGrid, hidden));
    second_ = classifier->register_module("3", std::make_shared<Dense>(hidden, hidden));
    last_ = classifier->register_module("6", torch::nn::Linear(hidden, head.classes));
  }

  at::Tensor forward(const at::Tensor& images, Taps& taps) override {
    check(images);
    auto x = images;
    size_t index = 0;
    auto convolution = convolutions_.begin();
    for (const int64_t multiple : kLayout) {
      if (multiple == kPool) {
        x = taps(featureName(index++), at::max_pool2d(x, 2));
      } else {
        x = rectified(taps, featureName(index), (*convolution++)->forward(x));
        x = taps(featureName(index + 1), x);
        index += 2;
      }
    }  // [B, 512, H/32, W/32]
    if (x.size(2) != kGrid || x.size(3) != kGrid) x = at::adaptive_avg_pool2d(x, {kGrid, kGrid});
    x = taps("avgpool", x).flatten(1);  // [B, 25088]
    x = cxr::dropout(rectified(taps, "classifier.0", first_->forward(x)), dropout_, is_training());
    x = cxr::dropout(rectified(taps, "classifier.3", second_->forward(x)), dropout_, is_training());
    return last_->forward(x);
  }

  std::vector<std::string> tapNames() const override {
    std::vector<std::string> names;
    size_t index = 0;
    for (const int64_t multiple : kLayout) {
      names.push_back(featureName(index++));
      if (multiple != kPool) names.push_back(featureName(index++));
    }
    for (const char* name : {"avgpool", "classifier.0", "classifier.3"}) names.push_back(name);
    return names;
  }

  /// The last convolution, before its ReLU.
  std::string camLayer() const override { return "features.28"; }

 private:
  static std::string featureName(size_t index) { return "features." + std::to_string(index); }

  static void check(const at::Tensor& images) {
    if (images.dim() == 4 && images.size(1) == 3 && images.size(2) >= kLeastSide && images.size(3) >= kLeastSide) return;
    throw invalidShape("Expected [B, 3, H, W] with sides of at least 32 for images but received " +
                       c10::str(images.sizes()));
  }

  std::vector<Conv2d> convolutions_;
  std::shared_ptr<Dense> first_;
  std::shared_ptr<Dense> second_;
  torch::nn::Linear last_{nullptr};
  double dropout_;
};

}  // namespace

void registerVgg(NetworkRegistry& registry) {
  registry.addArchitecture("vgg16", [](const Options& options) -> NetworkRegistry::Factory {
    const auto head = HeadOptions::from(options);
    if (head.kind != "linear") {
      throw invalidArgument("Expected 'linear' for head, since vgg16 has no pooled features, but received '" +
                            head.kind + "'");
    }
    const double dropout = options.number("dropout");
    if (!(dropout >= 0 && dropout < 1)) throw invalidArgument("Expected at least 0 and below 1 for dropout");
    const int64_t width = options.integer("width", 64);
    return [=] { return std::make_shared<Vgg16>(width, head, dropout); };
  });
}

}  // namespace cxr
