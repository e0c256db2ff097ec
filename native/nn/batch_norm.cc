#include "nn/batch_norm.h"

#include <ATen/ATen.h>

#include <cmath>

#include "runtime/error.h"

namespace cxr {

BatchNorm2dImpl::BatchNorm2dImpl(int64_t channels, double eps, double momentum) : eps_(eps), momentum_(momentum) {
  weight = register_parameter("weight", at::ones({channels}));
  bias = register_parameter("bias", at::zeros({channels}));
  runningMean = register_buffer("running_mean", at::zeros({channels}));
  runningVar = register_buffer("running_var", at::ones({channels}));
  numBatchesTracked = register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
}

at::Tensor BatchNorm2dImpl::forward(const at::Tensor& x) {
  if (is_training()) {
    // The unbiased variance of one value is 0/0, and would leave NaN in the running statistics.
    if (x.numel() == x.size(1)) {
      throw invalidShape("Expected more than one value a channel in training mode: a larger batch or image");
    }
    numBatchesTracked.add_(updates_);
  }
  const double momentum = 1 - std::pow(1 - momentum_, static_cast<double>(updates_));
  return at::batch_norm(x, weight, bias, runningMean, runningVar, is_training(), updates_ == 1 ? momentum_ : momentum,
                        eps_, /*cudnn_enabled=*/true);
}

}  // namespace cxr
