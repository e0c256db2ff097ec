// The operations of Tensor, by concern. Each function adds its rows to the table.
#pragma once

#include <functional>

#include "tensor/registry.h"

namespace cxr {

void registerArithmetic(Registry& registry);
void registerComparison(Registry& registry);
void registerReductions(Registry& registry);
void registerShapes(Registry& registry);
void registerIndexing(Registry& registry);
void registerLinear(Registry& registry);
void registerCreation(Registry& registry);
void registerAutograd(Registry& registry);
void registerReading(Registry& registry);

/// A JavaScript number as PyTorch would take it: whole numbers stay integers, so int64 tensors stay int64.
inline at::Scalar toScalar(double value) {
  if (std::nearbyint(value) == value && std::abs(value) < 9007199254740992.0) {
    return at::Scalar(static_cast<int64_t>(value));
  }
  return at::Scalar(value);
}

/// One tensor in, one out, no options.
inline std::function<Kernel(const Options&)> unary(at::Tensor (*function)(const at::Tensor&)) {
  return [function](const Options&) -> Kernel {
    return [function](const Tensors& in) -> Tensors { return {function(in[0])}; };
  };
}

}  // namespace cxr
