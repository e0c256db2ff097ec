// Bilinear resizing with the bytes of Pillow, on 8-bit images.
#pragma once

#include <cstdint>

namespace cxr::image {

/// Stretches interleaved 8-bit pixels (aspect is not kept) by Pillow's antialiased bilinear filter: where an
/// axis shrinks, the triangle is as wide as the ratio. Along rows first, then along columns, each pass rounded
/// to 8 bits in 22-bit fixed point (libImaging/Resample.c: precompute_coeffs, ImagingResampleHorizontal_8bpc).
///
/// Arguments and errors are those of `resizeArea`.
void resizePillowBilinear(const uint8_t* source, int width, int height, int channels, uint8_t* target,
                          int outWidth, int outHeight);

}  // namespace cxr::image
