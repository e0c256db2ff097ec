// VGG16 (Simonyan and Zisserman 2015), without batch normalisation, with torchvision's structure, keys and initialisation.
#pragma once

#include "nn/network.h"

namespace cxr {

/// Adds "vgg16".
void registerVgg(NetworkRegistry& registry);

}  // namespace cxr
