// The loss of segmentation: pixel by pixel, and by overlap.
#pragma once

#include <ATen/ATen.h>

namespace cxr::loss {

/// Mean binary cross-entropy of sigmoid(logits) + soft Dice loss 1 - (2 sum(p m) + s) / (sum(p) + sum(m) + s),
/// the sums over the whole batch (`nikhilroxtomar/Retina-Blood-Vessel-Segmentation-in-PyTorch: UNET/loss.py`,
/// DiceBCELoss; Milletari et al., 3DV 2016).
///
/// @param logits [B, ...]
/// @param targets of the same shape, values from 0 to 1
/// @param smooth s
at::Tensor segmentation(const at::Tensor& logits, const at::Tensor& targets, double smooth);

}  // namespace cxr::loss
