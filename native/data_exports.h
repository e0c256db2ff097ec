// The edge of the data lane: work on 8-bit pixels and heat maps, as JavaScript asks for it.
#pragma once

#include "runtime/environment.h"

namespace cxr {

/// Adds `resize`, `PixelFile`, `assembleBatch`, `renderHeatmaps`, `setDataThreads`, `dataThreads` and
/// `pendingDataJobs`.
/// The environment and its tensors must be there already.
void defineDataExports(Napi::Env env, Napi::Object exports);

}  // namespace cxr
