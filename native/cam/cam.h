// Attention maps as operations.
#pragma once

#include "nn/network.h"
#include "tensor/registry.h"

namespace cxr {

/// Adds "cam.fromActivation" and "cam.fromScores".
void registerCam(Registry& registry);
/// Adds "cam.explain", "cam.scoreSubject", "cam.channelScores".
void registerCam(NetworkRegistry& registry);

}  // namespace cxr
