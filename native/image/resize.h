// Area averaging with the bytes of OpenCV's INTER_AREA, on 8-bit images.
#pragma once

#include <cstdint>

namespace cxr::image {

/// The largest side that resizing takes.
inline constexpr int kMaxSide = 65535;

/// Throws cxr::Error for a side outside 1..kMaxSide or channels other than 1 and 3.
void checkResize(int width, int height, int channels, int outWidth, int outHeight);

/// Stretches interleaved 8-bit pixels (aspect is not kept) to `outWidth` x `outHeight`.
///
/// An axis that shrinks or stays is averaged over the covered source pixels, border pixels by their covered
/// fraction: accumulated in float32 in OpenCV's order and rounded to nearest even, so the bytes are OpenCV's
/// (opencv/modules/imgproc/src/resize.cpp: computeResizeAreaTab, ResizeArea_Invoker, resizeAreaFast_). An
/// axis that grows is interpolated linearly between pixel centres; OpenCV does so only where both axes grow.
///
/// `source` holds width * height * channels bytes, `target` outWidth * outHeight * channels; they must not
/// overlap. Throws cxr::Error for a side outside 1..kMaxSide or channels other than 1 and 3.
void resizeArea(const uint8_t* source, int width, int height, int channels, uint8_t* target, int outWidth,
                int outHeight);

}  // namespace cxr::image
