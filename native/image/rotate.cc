#include "image/rotate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <numbers>
#include <string>

#include "runtime/error.h"

namespace cxr::image {
namespace {

/// Python's round(value, 15): through the exact decimal expansion, not by scaling.
double roundTo15Decimals(double value) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, 15);
  double rounded = 0;
  std::from_chars(text, written.ptr, rounded);
  return rounded;
}

/// Python's value % 360.0: the sign of the divisor.
double modulo360(double degrees) {
  const double remainder = std::fmod(degrees, 360.0);
  return remainder < 0 ? remainder + 360.0 : std::abs(remainder);
}

/// 16.16 fixed point.
int32_t fixed(double value) { return static_cast<int32_t>(std::floor(value * 65536.0 + 0.5)); }

/// The source position of output (X, Y) in 16.16 is x + X * dxByX + Y * dxByY, likewise y.
struct FixedMap {
  int32_t x, dxByX, dxByY;
  int32_t y, dyByX, dyByY;
};

FixedMap makeMap(int width, int height, double degrees) {
  // The order of operations is Pillow's: the last bit of these decides which pixel is the nearest.
  const double angle = -(modulo360(degrees) * (std::numbers::pi / 180.0));
  const double a = roundTo15Decimals(std::cos(angle));
  const double b = roundTo15Decimals(std::sin(angle));
  const double d = roundTo15Decimals(-std::sin(angle));
  const double centreX = width / 2.0;
  const double centreY = height / 2.0;
  const double c = a * -centreX + b * -centreY + 0.0 + centreX;
  const double f = d * -centreX + a * -centreY + 0.0 + centreY;
  return {fixed(c + a * 0.5 + b * 0.5), fixed(a), fixed(b), fixed(f + d * 0.5 + a * 0.5), fixed(d), fixed(a)};
}

int64_t floorDivide(int64_t value, int64_t divisor) {
  const int64_t quotient = value / divisor;
  return quotient * divisor > value ? quotient - 1 : quotient;
}

/// Narrows [begin, end) to the X with 0 <= start + X * step < limit.
void clip(int64_t start, int64_t step, int64_t limit, int64_t& begin, int64_t& end) {
  if (step == 0) {
    if (start < 0 || start >= limit) end = 0;
  } else if (step > 0) {
    begin = std::max(begin, floorDivide(-start + step - 1, step));
    end = std::min(end, floorDivide(limit - 1 - start, step) + 1);
  } else {
    begin = std::max(begin, floorDivide(start - limit + -step, -step));
    end = std::min(end, floorDivide(start, -step) + 1);
  }
  if (begin >= end) begin = end = 0;
}

template <int Channels, bool Flip>
void rotate(const uint8_t* source, int width, int height, const FixedMap& map, uint8_t* target) {
  const size_t stride = static_cast<size_t>(width) * Channels;
  for (int row = 0; row < height; ++row, target += stride) {
    const int64_t startX = map.x + static_cast<int64_t>(row) * map.dxByY;
    const int64_t startY = map.y + static_cast<int64_t>(row) * map.dyByY;
    int64_t begin = 0;
    int64_t end = width;
    clip(startX, map.dxByX, static_cast<int64_t>(width) << 16, begin, end);
    clip(startY, map.dyByX, static_cast<int64_t>(height) << 16, begin, end);
    std::memset(target, 0, static_cast<size_t>(begin) * Channels);
    std::memset(target + static_cast<size_t>(end) * Channels, 0,
                (static_cast<size_t>(width) - end) * Channels);
    // Inside the clip both positions are within 2^30, so that 32 bits hold them.
    int32_t x = static_cast<int32_t>(startX + begin * map.dxByX);
    int32_t y = static_cast<int32_t>(startY + begin * map.dyByX);
    for (uint8_t *out = target + begin * Channels, *last = target + end * Channels; out < last;
         out += Channels) {
      const int column = Flip ? width - 1 - (x >> 16) : x >> 16;
      const uint8_t* in =
          source + static_cast<size_t>(y >> 16) * stride + static_cast<size_t>(column) * Channels;
      for (int c = 0; c < Channels; ++c) out[c] = in[c];
      x += map.dxByX;
      y += map.dyByX;
    }
  }
}

template <int Channels>
void mirror(const uint8_t* source, int width, int height, uint8_t* target) {
  for (int row = 0; row < height; ++row) {
    const uint8_t* in = source + static_cast<size_t>(row + 1) * width * Channels;
    uint8_t* out = target + static_cast<size_t>(row) * width * Channels;
    for (int x = 0; x < width; ++x) {
      in -= Channels;
      for (int c = 0; c < Channels; ++c) out[x * Channels + c] = in[c];
    }
  }
}

template <int Channels>
void augmentPixels(const uint8_t* source, int width, int height, bool flip, double degrees, uint8_t* target) {
  // No division by 360 leaves a remainder: Pillow copies.
  if (modulo360(degrees) == 0.0) {
    if (flip) return mirror<Channels>(source, width, height, target);
    std::memcpy(target, source, static_cast<size_t>(width) * height * Channels);
    return;
  }
  const FixedMap map = makeMap(width, height, degrees);
  if (flip) {
    rotate<Channels, true>(source, width, height, map, target);
  } else {
    rotate<Channels, false>(source, width, height, map, target);
  }
}

}  // namespace

void augment(const uint8_t* source, int width, int height, int channels, bool flip, double degrees,
             uint8_t* target) {
  for (const int side : {width, height}) {
    if (side >= 1 && side <= kMaxRotatedSide) continue;
    throw invalidArgument("Expected sides of 1 to " + std::to_string(kMaxRotatedSide) + " but received " +
                          std::to_string(width) + " x " + std::to_string(height));
  }
  if (!std::isfinite(degrees))
    throw invalidArgument("Expected a finite angle but received " + std::to_string(degrees));
  if (channels == 1) {
    augmentPixels<1>(source, width, height, flip, degrees, target);
  } else if (channels == 3) {
    augmentPixels<3>(source, width, height, flip, degrees, target);
  } else {
    throw invalidArgument("Expected 1 or 3 for channels but received " + std::to_string(channels));
  }
}

}  // namespace cxr::image
