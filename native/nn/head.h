// Classifier heads over a feature vector.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include "nn/network.h"

namespace cxr {

/// `linear`: one Linear, keys `fc.weight`, `fc.bias` (torchvision and the long-tail benchmark).
/// `bottleneck64`: Linear(->64) then Linear(->C) with no activation between, keys `fc.0.*`, `fc.1.*` (GazeLT; the
/// output of `fc.0` is the distilled feature). Transformers say `head` instead of `fc`.
struct HeadOptions {
  std::string kind = "linear";
  int64_t classes = 0;

  static HeadOptions from(const Options& options);
};

class Head {
 public:
  /// Registers the head under its name in the network.
  Head(torch::nn::Module& owner, const HeadOptions& options, int64_t features, std::string name = "fc");
  /// features [B, F] -> logits [B, C]; offers the tap `fc.0` where there is a bottleneck.
  at::Tensor forward(at::Tensor features, Taps& taps);
  std::vector<std::string> tapNames() const;
  /// Draws the one layer anew as timm does: weight by `smallNormal`, bias 0. Two layers stay as they are.
  void drawSmall();
  /// [C, F] of the one layer; undefined where there are two.
  at::Tensor weight() const { return single_ ? single_->weight : at::Tensor(); }

 private:
  std::string name_;
  torch::nn::Linear single_{nullptr};
  torch::nn::Sequential pair_{nullptr};
};

}  // namespace cxr
