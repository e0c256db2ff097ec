#include "nn/layers.h"

#include <c10/core/GradMode.h>

namespace cxr {

void smallNormal(at::Tensor& weight) {
  at::NoGradGuard constant;
  weight.normal_(0.0, 0.02).clamp_(-2.0, 2.0);
}

torch::nn::Linear smallLinear(int64_t in, int64_t out, bool bias) {
  torch::nn::Linear layer(torch::nn::LinearOptions(in, out).bias(bias));
  smallNormal(layer->weight);
  at::NoGradGuard constant;
  if (bias) layer->bias.zero_();
  return layer;
}

torch::nn::LayerNorm layerNorm(int64_t width, double eps) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}).eps(eps));
}

torch::nn::Conv2d depthwise(int64_t width, int64_t kernel) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(width, width, kernel).padding(kernel / 2).groups(width).bias(false));
}

at::Tensor patches(const at::Tensor& x, const torch::nn::Conv2d& conv) {
  const int64_t k = conv->weight.size(2), height = x.size(1) / k, width = x.size(2) / k, channels = x.size(3);
  // Only where something is left over: in the backward pass a slice is a copy.
  const bool fits = height * k == x.size(1) && width * k == x.size(2);
  const auto whole = fits ? x : x.slice(1, 0, height * k).slice(2, 0, width * k);
  const auto cut = whole.reshape({x.size(0), height, k, width, k, channels}).transpose(2, 3);  // [B, h, w, k, k, C]
  return at::linear(cut.reshape({x.size(0), height, width, k * k * channels}),
                    conv->weight.permute({0, 2, 3, 1}).flatten(1), conv->bias);
}

at::Tensor rectified(Taps& taps, const std::string& name, const at::Tensor& x) {
  if (!taps.wants(name)) return x.relu_();
  return taps(name, x).relu();
}

at::Tensor residual(const at::Tensor& x, at::Tensor branch) {
  if (x.scalar_type() == branch.scalar_type()) return branch.add_(x);
  return x + branch;  // a low-precision branch beside a float32 stream: the sum keeps the stream's type
}

at::Tensor dropout(const at::Tensor& x, double rate, bool training) {
  if (!training || rate == 0) return x;
  const double keep = 1 - rate;
  return x * at::empty(x.sizes(), at::kFloat).bernoulli_(keep).div_(keep).to(x.device(), x.scalar_type());
}

at::Tensor dropPath(const at::Tensor& x, int64_t batch, double rate, bool training) {
  if (!training || rate == 0) return x;
  const double keep = 1 - rate;
  auto mask = at::empty({batch}, at::kFloat).bernoulli_(keep).div_(keep).to(x.device(), x.scalar_type());
  auto grouped = x.reshape({batch, x.size(0) / batch, -1});
  return (grouped * mask.view({batch, 1, 1})).view(x.sizes());
}

double dropPathRate(double rate, int64_t k, int64_t blocks) {
  return rate * static_cast<double>(k) / static_cast<double>(blocks - 1);
}

Mlp::Mlp(int64_t width, int64_t hidden)
    : fc1_(register_module("fc1", smallLinear(width, hidden))), fc2_(register_module("fc2", smallLinear(hidden, width))) {}

at::Tensor Mlp::forward(const at::Tensor& x) { return fc2_->forward(at::gelu(fc1_->forward(x))); }

}  // namespace cxr
