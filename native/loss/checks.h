// What every loss asks of its inputs before it computes: working precision, labels within the classes, one
// value per class. A label out of range must be caught here: on a GPU it would end in a device-side
// assertion, which takes the whole process's CUDA context with it.
#pragma once

#include <ATen/ATen.h>

#include <string>

#include "runtime/error.h"

namespace cxr::loss {

/// The label that the focal loss leaves out.
inline constexpr int64_t kIgnoredLabel = -100;

/// Float32 and float64 stay, lower precision is cast up to float32; anything but floating point throws.
at::Tensor workingPrecision(const at::Tensor& values, const std::string& name);

/// Throws unless `values` has `dimensions` dimensions; `expected` describes them, such as "[B, C]".
void expectDimensions(const at::Tensor& values, int64_t dimensions, const std::string& expected,
                      const std::string& name);

/// Labels as int64 [B] beside logits [B, C], checked where they lie (on the CPU that costs no wait for the
/// device) and then moved to the device of the logits.
/// @param allowIgnored accepts `kIgnoredLabel` too
at::Tensor checkedLabels(const at::Tensor& labels, const at::Tensor& logits, bool allowIgnored = false);

/// One value for each class of logits [B, C], in their precision and on their device; undefined stays
/// undefined.
at::Tensor perClass(const at::Tensor& values, const at::Tensor& logits, const std::string& name);

}  // namespace cxr::loss
