// Pieces that the transformers share.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <memory>
#include <string>
#include <vector>

#include "nn/network.h"

namespace cxr {

/// Overwrites by N(0, 0.02²) cut at ±2, as timm's trunc_normal_(std=.02) does: a cut a hundred deviations away.
void smallNormal(at::Tensor& weight);

/// A Linear as timm initialises it: weight by `smallNormal`, bias 0.
torch::nn::Linear smallLinear(int64_t in, int64_t out, bool bias = true);

/// LayerNorm over the last axis, affine.
torch::nn::LayerNorm layerNorm(int64_t width, double eps = 1e-5);

/// A depthwise convolution of an odd kernel without bias, same size; PyTorch's own initialisation.
torch::nn::Conv2d depthwise(int64_t width, int64_t kernel);

/// A convolution whose stride is its kernel, without padding, of channels-last images: one matrix product over patches.
/// @param x [B, H, W, C]
/// @returns [B, H/k, W/k, C'], sides rounded down
at::Tensor patches(const at::Tensor& x, const torch::nn::Conv2d& conv);

/// The ReLU of x, which is offered to `taps` before it: in x's memory unless the tap keeps that.
at::Tensor rectified(Taps& taps, const std::string& name, const at::Tensor& x);

/// x + branch, in the branch's memory where both have one type.
at::Tensor residual(const at::Tensor& x, at::Tensor branch);

/// Dropout (Srivastava et al. 2014): in training, values are left out with probability `rate` and scaled by 1 / (1 - rate)
/// where they are kept. Draws as `dropPath` does.
at::Tensor dropout(const at::Tensor& x, double rate, bool training);

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
