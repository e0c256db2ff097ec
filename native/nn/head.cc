#include "nn/head.h"

#include "nn/layers.h"

namespace cxr {
namespace {
constexpr int64_t kBottleneck = 64;
}

HeadOptions HeadOptions::from(const Options& options) {
  HeadOptions head;
  head.kind = options.text("head", "linear");
  head.classes = options.integer("classes");
  if (head.classes < 1) throw invalidArgument("Expected at least 1 for classes");
  if (head.kind != "linear" && head.kind != "bottleneck64") {
    throw invalidArgument("Expected 'linear' or 'bottleneck64' for head but received '" + head.kind + "'");
  }
  return head;
}

Head::Head(torch::nn::Module& owner, const HeadOptions& options, int64_t features, std::string name)
    : name_(std::move(name)) {
  if (options.kind == "linear") {
    single_ = owner.register_module(name_, torch::nn::Linear(features, options.classes));
  } else {
    pair_ = owner.register_module(name_, torch::nn::Sequential(torch::nn::Linear(features, kBottleneck),
                                                               torch::nn::Linear(kBottleneck, options.classes)));
  }
}

at::Tensor Head::forward(at::Tensor features, Taps& taps) {
  if (single_) return single_->forward(features);
  features = taps(name_ + ".0", pair_->ptr<torch::nn::LinearImpl>(0)->forward(features));
  return pair_->ptr<torch::nn::LinearImpl>(1)->forward(features);
}

std::vector<std::string> Head::tapNames() const {
  if (single_) return {};
  return {name_ + ".0"};
}

void Head::drawSmall() {
  if (!single_) return;
  smallNormal(single_->weight);
  at::NoGradGuard constant;
  single_->bias.zero_();
}

}  // namespace cxr
