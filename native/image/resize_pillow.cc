#include "image/resize_pillow.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

#include "image/resize.h"

namespace cxr::image {
namespace {

/// Bits after the point of Pillow's weights: eight are the pixel's, two are headroom.
constexpr int kPillowBits = 22;

/// How each output position along one axis is made of source positions first .. first + count - 1.
struct PillowAxis {
  struct Span {
    int first;
    int count;
  };
  std::vector<Span> spans;
  std::vector<int32_t> weights;  ///< `stride` for each output position
  size_t stride = 0;
};

PillowAxis pillowAxis(int source, int target) {
  const double scale = static_cast<double>(source) / target;
  const double support = std::max(scale, 1.0);
  const double inverse = 1.0 / support;
  PillowAxis axis;
  axis.stride = static_cast<size_t>(std::ceil(support)) * 2 + 1;
  axis.weights.resize(axis.stride * target);
  std::vector<double> raw(axis.stride);
  for (int d = 0; d < target; ++d) {
    const double centre = (d + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int count = std::min(source, static_cast<int>(centre + support + 0.5)) - first;
    double sum = 0.0;
    for (int x = 0; x < count; ++x) {
      raw[x] = std::max(0.0, 1.0 - std::abs((x + first - centre + 0.5) * inverse));
      sum += raw[x];
    }
    for (int x = 0; x < count; ++x) {
      const double weight = sum == 0.0 ? raw[x] : raw[x] / sum;
      axis.weights[axis.stride * d + x] = static_cast<int32_t>(0.5 + weight * (1 << kPillowBits));
    }
    axis.spans.push_back({first, count});
  }
  return axis;
}

uint8_t fromPillow(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kPillowBits, 0, 255)); }

template <int Channels>
void pillowRows(const uint8_t* source, int width, int height, const PillowAxis& axis, uint8_t* target) {
  const size_t stride = static_cast<size_t>(width) * Channels;
  for (int y = 0; y < height; ++y, source += stride) {
    for (size_t d = 0; d < axis.spans.size(); ++d) {
      const auto [first, count] = axis.spans[d];
      const int32_t* weights = axis.weights.data() + axis.stride * d;
      const uint8_t* in = source + static_cast<size_t>(first) * Channels;
      int32_t sums[Channels];
      std::fill_n(sums, Channels, 1 << (kPillowBits - 1));
      for (int x = 0; x < count; ++x) {
        for (int c = 0; c < Channels; ++c) sums[c] += weights[x] * in[x * Channels + c];
      }
      for (int c = 0; c < Channels; ++c) *target++ = fromPillow(sums[c]);
    }
  }
}

void pillowColumns(const uint8_t* source, size_t stride, const PillowAxis& axis, uint8_t* target) {
  std::vector<int32_t> sums(stride);
  for (size_t d = 0; d < axis.spans.size(); ++d, target += stride) {
    const auto [first, count] = axis.spans[d];
    std::fill(sums.begin(), sums.end(), 1 << (kPillowBits - 1));
    for (int y = 0; y < count; ++y) {
      const int32_t weight = axis.weights[axis.stride * d + y];
      const uint8_t* in = source + static_cast<size_t>(first + y) * stride;
      for (size_t i = 0; i < stride; ++i) sums[i] += weight * in[i];
    }
    for (size_t i = 0; i < stride; ++i) target[i] = fromPillow(sums[i]);
  }
}

}  // namespace

void resizePillowBilinear(const uint8_t* source, int width, int height, int channels, uint8_t* target,
                          int outWidth, int outHeight) {
  checkResize(width, height, channels, outWidth, outHeight);
  const size_t rowsOut = static_cast<size_t>(outWidth) * channels;
  std::vector<uint8_t> between;
  if (width != outWidth) {
    const PillowAxis across = pillowAxis(width, outWidth);
    uint8_t* rows = target;
    if (height != outHeight) {
      between.resize(rowsOut * height);
      rows = between.data();
    }
    if (channels == 1) {
      pillowRows<1>(source, width, height, across, rows);
    } else {
      pillowRows<3>(source, width, height, across, rows);
    }
    source = rows;
  }
  if (height != outHeight) {
    pillowColumns(source, rowsOut, pillowAxis(height, outHeight), target);
  } else if (width == outWidth) {
    std::memcpy(target, source, rowsOut * height);
  }
}

}  // namespace cxr::image
