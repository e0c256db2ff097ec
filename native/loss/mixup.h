// Convex combinations of images.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace cxr::loss {

/// lambda * x + (1 - lambda) * x[permutation]; the permutation is of the first dimension.
at::Tensor mixup(const at::Tensor& x, const std::vector<int64_t>& permutation, double lambda);

/// (1 - lambda) * natural + lambda * balanced, of equal shapes.
at::Tensor balancedMixup(const at::Tensor& natural, const at::Tensor& balanced, double lambda);

}  // namespace cxr::loss
