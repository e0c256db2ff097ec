// U-Net (Ronneberger et al. 2015) with structure and keys of `rcorizzo/cxr-segmentation-attention: scripts/model.py`.
#pragma once

#include "nn/network.h"

namespace cxr {

/// Adds "unet": images [B, 3, H, W], sides multiples of 16 -> logits [B, 1, H, W].
void registerUnet(NetworkRegistry& registry);

}  // namespace cxr
