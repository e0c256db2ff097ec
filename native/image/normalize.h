// From 8-bit pixels to the network's input.
#pragma once

namespace cxr {

class Registry;

/// `image.normalize`: uint8 [B, H, W, 1 or 3] -> float32 [B, 3, H, W], channels last in memory; options
/// `mean` and `std`, three numbers each.
void registerImageOps(Registry& registry);

}  // namespace cxr
