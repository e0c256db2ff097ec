// Enters the losses into the table of operations.
#pragma once

#include "tensor/registry.h"

namespace cxr {

/// Adds the operations "loss.*".
void registerLosses(Registry& registry);

}  // namespace cxr
