// The product inside PVT's attention: many queries, few keys and values, no bias.
#pragma once

#include <ATen/ATen.h>

namespace cxr {

/// softmax(q kᵀ / √e) v of each head; differentiable any number of times, on every device and in every type.
/// @param q [B, N, heads, e]
/// @param kv [B, M, 2, heads, e]: keys, values
/// @returns [B N, heads e]
at::Tensor attendPooled(const at::Tensor& q, const at::Tensor& kv);

}  // namespace cxr
