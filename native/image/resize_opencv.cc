#include "image/resize_opencv.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "image/resize.h"

namespace cxr::image {
namespace {

/// Which two source positions an output position lies between, and their weights of 11 bits.
struct CvTap {
  int low;
  int high;
  int32_t lowWeight;
  int32_t highWeight;
};

/// @param clampsWeight along x a position beyond the border takes all of the border's pixel; along y only the
///   indices are clamped, which matters because each of the two products is truncated by itself
std::vector<CvTap> cvAxis(int source, int target, bool clampsWeight) {
  // OpenCV's scale is the reciprocal of the rounded ratio.
  const double scale = 1.0 / (static_cast<double>(target) / source);
  std::vector<CvTap> taps;
  taps.reserve(target);
  for (int d = 0; d < target; ++d) {
    const float position = static_cast<float>((d + 0.5) * scale - 0.5);
    int low = static_cast<int>(std::floor(position));
    float fraction = position - static_cast<float>(low);
    if (clampsWeight && (low < 0 || low >= source - 1)) {
      low = low < 0 ? 0 : source - 1;
      fraction = 0.0f;
    }
    taps.push_back({std::clamp(low, 0, source - 1), std::clamp(low + 1, 0, source - 1),
                    static_cast<int32_t>(std::lrintf((1.0f - fraction) * 2048.0f)),
                    static_cast<int32_t>(std::lrintf(fraction * 2048.0f))});
  }
  return taps;
}

/// One source row through the horizontal pass.
template <int Channels>
void cvRow(const uint8_t* source, const std::vector<CvTap>& taps, int32_t* target) {
  for (const CvTap& tap : taps) {
    for (int c = 0; c < Channels; ++c) {
      *target++ = tap.lowWeight * source[static_cast<size_t>(tap.low) * Channels + c] +
                  tap.highWeight * source[static_cast<size_t>(tap.high) * Channels + c];
    }
  }
}

template <int Channels>
void cvBilinear(const uint8_t* source, int width, int height, uint8_t* target, int outWidth, int outHeight) {
  const std::vector<CvTap> across = cvAxis(width, outWidth, true);
  const std::vector<CvTap> down = cvAxis(height, outHeight, false);
  const size_t stride = static_cast<size_t>(width) * Channels;
  const size_t outStride = static_cast<size_t>(outWidth) * Channels;
  // The two source rows of the output row at hand: rows come in order, so the lower one is often the next upper.
  std::vector<int32_t> upper(outStride);
  std::vector<int32_t> lower(outStride);
  int upperRow = -1;
  int lowerRow = -1;
  for (int y = 0; y < outHeight; ++y, target += outStride) {
    const CvTap& tap = down[y];
    if (tap.low == lowerRow) {
      upper.swap(lower);
      std::swap(upperRow, lowerRow);
    }
    if (tap.low != upperRow) {
      cvRow<Channels>(source + static_cast<size_t>(tap.low) * stride, across, upper.data());
      upperRow = tap.low;
    }
    if (tap.high != lowerRow) {
      cvRow<Channels>(source + static_cast<size_t>(tap.high) * stride, across, lower.data());
      lowerRow = tap.high;
    }
    for (size_t i = 0; i < outStride; ++i) {
      target[i] = static_cast<uint8_t>(
          (((tap.lowWeight * (upper[i] >> 4)) >> 16) + ((tap.highWeight * (lower[i] >> 4)) >> 16) + 2) >> 2);
    }
  }
}

}  // namespace

void resizeOpenCvBilinear(const uint8_t* source, int width, int height, int channels, uint8_t* target,
                          int outWidth, int outHeight) {
  checkResize(width, height, channels, outWidth, outHeight);
  const bool halved = width == 2 * outWidth && height == 2 * outHeight;
  if (halved) {
    resizeArea(source, width, height, channels, target, outWidth, outHeight);
  } else if (channels == 1) {
    cvBilinear<1>(source, width, height, target, outWidth, outHeight);
  } else {
    cvBilinear<3>(source, width, height, target, outWidth, outHeight);
  }
}

}  // namespace cxr::image
