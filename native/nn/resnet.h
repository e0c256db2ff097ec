// ResNet-18/34/50/101 (He et al. 2016) with torchvision's structure, keys and initialisation.
#pragma once

#include "nn/network.h"

namespace cxr {

void registerResNets(NetworkRegistry& registry);

}  // namespace cxr
