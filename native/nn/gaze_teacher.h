// GazeLT's teachers: an encoder, four decoders to gaze maps, and a projection to 64 numbers.
#pragma once

#include "nn/network.h"

namespace cxr {

/// Architectures `global-teacher` and `focal-teacher` with option `dropPath`, and the operation `maps`.
void registerGazeTeachers(NetworkRegistry& registry);

}  // namespace cxr
