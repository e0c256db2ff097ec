// Bilinear resizing with the bytes of OpenCV, on 8-bit images.
#pragma once

#include <cstdint>

namespace cxr::image {

/// Stretches interleaved 8-bit pixels by OpenCV's INTER_LINEAR, without antialiasing: 11-bit weights, truncated
/// between the passes (opencv/modules/imgproc/src/resize.cpp: HResizeLinear, VResizeLinear). Where both sides
/// are halved exactly OpenCV averages instead, and so do we.
///
/// Arguments and errors are those of `resizeArea`.
void resizeOpenCvBilinear(const uint8_t* source, int width, int height, int channels, uint8_t* target,
                          int outWidth, int outHeight);

}  // namespace cxr::image
