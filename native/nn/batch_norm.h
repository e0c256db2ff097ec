// Batch normalisation with PyTorch's keys, and with a momentum that can stand for several updates by one batch.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

namespace cxr {

class BatchNorm2dImpl : public torch::nn::Module {
 public:
  explicit BatchNorm2dImpl(int64_t channels, double eps = 1e-5, double momentum = 0.1);
  /// [B, C, H, W] -> [B, C, H, W]; moves the running statistics in training mode.
  at::Tensor forward(const at::Tensor& x);
  /// GazeLT's original ran the network twice on each batch, so its statistics moved twice a step:
  /// n updates by the same batch are one with momentum 1 - (1 - m)^n.
  void setUpdatesPerStep(int64_t updates) { updates_ = updates; }

  at::Tensor weight, bias, runningMean, runningVar, numBatchesTracked;

 private:
  double eps_;
  double momentum_;
  int64_t updates_ = 1;
};
TORCH_MODULE(BatchNorm2d);

}  // namespace cxr
