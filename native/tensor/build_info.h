// What the addon was built with and what it runs on.
#pragma once

#include "runtime/napi.h"

namespace cxr {

/// buildInfo() -> {libtorch, compiler, cudaBuilt, cudaVisible, cpuCapability, napi}
Napi::Value buildInfo(const Napi::CallbackInfo& info);

}  // namespace cxr
