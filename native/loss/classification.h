// Losses of one label per image, over logits [B, C].
#pragma once

#include <ATen/ATen.h>

namespace cxr::loss {

/// Weighted-mean cross-entropy: sum_i w_{y_i} (-log p_{i, y_i}) / sum_i w_{y_i}. Undefined weights are ones.
at::Tensor crossEntropy(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights);

/// LDAM: crossEntropy(scale * z), where z is the logits less the margin of the true class at the true class.
at::Tensor ldam(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& margins,
                const at::Tensor& weights, double scale);

/// Focal loss of the hub model: mean over the B labels that are not ignored (not over their weights) of
/// w_y (1 - p_y)^gamma (-log p_y).
at::Tensor focal(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights, double gamma);

}  // namespace cxr::loss
