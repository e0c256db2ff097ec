// Pyramid vision transformer, version 2 (Wang et al. 2022) with the keys of timm.
#pragma once

#include "nn/network.h"

namespace cxr {

/// Adds "pvt_v2_b0" .. "pvt_v2_b5" and "pvt_v2_b2_li".
void registerPvts(NetworkRegistry& registry);

}  // namespace cxr
