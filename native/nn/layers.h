// Pieces that the transformers share.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <memory>
#include <vector>

namespace cxr {

/// Overwrites by N(0, 0.02²) cut at ±2, as timm's trunc_normal_(std=.02) does: a cut a hundred deviations away.
void smallNormal(at::Tensor& weight);

/// A Linear as timm initialises it: weight by `smallNormal`, bias 0.
torch::nn::Linear smallLinear(int64_t in, int64_t out, bool bias = true);

/// LayerNorm over the last axis, eps 1e-5, affine.
torch::nn::LayerNorm layerNorm(int64_t width);

/// A depthwise convolution of an odd kernel without bias, same size; PyTorch's own initialisation.
torch::nn::Conv2d depthwise(int64_t width, int64_t kernel);

/// x + branch, in the branch's memory where both have one type.
at::Tensor residual(const at::Tensor& x, at::Tensor branch);

/// Stochastic depth (Huang et al. 2016): in training, each sample's branch is left out with probability `rate` and
/// scaled by 1 / (1 - rate) where it is kept. Draws from the default CPU generator, which seeds and checkpoints hold,
/// whatever the device.
/// @param x [B n, ...]: n successive rows belong to one sample
at::Tensor dropPath(const at::Tensor& x, int64_t batch, double rate, bool training);

/// `rate` · k / (blocks - 1) for the k-th of all blocks.
double dropPathRate(double rate, int64_t k, int64_t blocks);

/// Two linear layers with an exact GELU between, keys `fc1`, `fc2`.
class Mlp : public torch::nn::Module {
 public:
  Mlp(int64_t width, int64_t hidden);
  at::Tensor forward(const at::Tensor& x);

 private:
  torch::nn::Linear fc1_;
  torch::nn::Linear fc2_;
};

/// Holds modules under their numbers, as PyTorch's ModuleList and Sequential key them.
class Numbered : public torch::nn::Module {};

}  // namespace cxr
