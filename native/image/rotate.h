// Horizontal flip and Pillow's nearest-neighbour rotation on 8-bit images.
#pragma once

#include <cstdint>

namespace cxr::image {

/// The largest side that `augment` takes: Pillow's fixed-point path holds to 2^15 on both axes of the source.
inline constexpr int kMaxRotatedSide = 16384;

/// Mirrors (if `flip`) and then rotates by `degrees` about the centre, same size, corners black: the bytes of
/// Pillow's `ImageOps.mirror(image)` followed by `image.rotate(degrees)` (libImaging/Geometry.c:
/// affine_fixed, in 16.16 fixed point; PIL/Image.py: rotate). Positive angles turn counter-clockwise.
///
/// `source` and `target` hold width * height * channels interleaved bytes and must not overlap.
/// Throws cxr::Error for a side outside 1..kMaxRotatedSide, channels other than 1 and 3, or an angle that is
/// not finite.
void augment(const uint8_t* source, int width, int height, int channels, bool flip, double degrees,
             uint8_t* target);

}  // namespace cxr::image
