// Attention transfer between feature maps.
#pragma once

#include <ATen/ATen.h>

namespace cxr::loss {

/// A(t) of [B, C, H, W]: mean over channels of the squares, flattened to [B, H * W] and scaled to unit length
/// (the norm clamped below by 1e-12, so that a map of zeros stays one).
at::Tensor attentionVector(const at::Tensor& map);

/// mean over the batch, and mean (or sum) over the positions, of (A(x) - A(y))^2. Channel numbers may differ.
at::Tensor attention(const at::Tensor& x, const at::Tensor& y, bool sumPositions);

}  // namespace cxr::loss
