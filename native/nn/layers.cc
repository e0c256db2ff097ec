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

torch::nn::LayerNorm layerNorm(int64_t width) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}).eps(1e-5));
}

torch::nn::Conv2d depthwise(int64_t width, int64_t kernel) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(width, width, kernel).padding(kernel / 2).groups(width).bias(false));
}

at::Tensor residual(const at::Tensor& x, at::Tensor branch) {
  if (x.scalar_type() == branch.scalar_type()) return branch.add_(x);
  return x + branch;  // a low-precision branch beside a float32 stream: the sum keeps the stream's type
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
