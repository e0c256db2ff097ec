#include "image/resize.h"

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/error.h"

namespace cxr::image {
namespace {

/// Rows that the horizontal pass takes together: one lane of a vector register each, so that every output
/// still sums its pixels in OpenCV's order.
constexpr int kLanes = 16;

/// How each output position along one axis is made of source positions first .. first + count - 1.
struct Axis {
  struct Span {
    int first;
    int count;
    int weights;  ///< where its weights begin in `weights`
  };
  std::vector<Span> spans;
  std::vector<float> weights;

  void begin(int first) { spans.push_back({first, 0, static_cast<int>(weights.size())}); }
  void add(float weight) {
    weights.push_back(weight);
    ++spans.back().count;
  }
};

/// OpenCV's table: covered fractions below 1/1000 of a pixel are dropped, the rest divided by the cell's
/// width.
Axis shrinkingAxis(int source, int target, double scale) {
  Axis axis;
  for (int d = 0; d < target; ++d) {
    const double begin = d * scale;
    const double end = begin + scale;
    const double cell = std::min(scale, source - begin);
    const int lastWhole = std::min(static_cast<int>(std::floor(end)), source - 1);
    const int firstWhole = std::min(static_cast<int>(std::ceil(begin)), lastWhole);
    const bool partialFirst = firstWhole - begin > 1e-3;
    axis.begin(partialFirst ? firstWhole - 1 : firstWhole);
    if (partialFirst) axis.add(static_cast<float>((firstWhole - begin) / cell));
    for (int s = firstWhole; s < lastWhole; ++s) axis.add(static_cast<float>(1.0 / cell));
    if (end - lastWhole > 1e-3)
      axis.add(static_cast<float>(std::min(std::min(end - lastWhole, 1.0), cell) / cell));
  }
  return axis;
}

/// Linear interpolation between pixel centres; the outermost half pixels repeat the border.
Axis growingAxis(int source, int target, double scale) {
  Axis axis;
  for (int d = 0; d < target; ++d) {
    const double position = (d + 0.5) * scale - 0.5;
    const int left = static_cast<int>(std::floor(position));
    const float fraction = static_cast<float>(position - left);
    if (left < 0 || left >= source - 1 || fraction == 0.0f) {
      axis.begin(std::clamp(left, 0, source - 1));
      axis.add(1.0f);
    } else {
      axis.begin(left);
      axis.add(1.0f - fraction);
      axis.add(fraction);
    }
  }
  return axis;
}

/// OpenCV's scale: the reciprocal of a rounded ratio, which need not be the rounded ratio the other way
/// round.
double scaleOf(int source, int target) { return 1.0 / (static_cast<double>(target) / source); }

Axis makeAxis(int source, int target) {
  const double scale = scaleOf(source, target);
  return target > source ? growingAxis(source, target, scale) : shrinkingAxis(source, target, scale);
}

/// Rounds to nearest even, as cvRound does: adding 1.5 * 2^23 leaves the integer in the low bits of the
/// float.
inline uint8_t roundToByte(float value) {
  const float clamped = std::min(value, 255.0f);
  return static_cast<uint8_t>(std::bit_cast<uint32_t>(clamped + 12582912.0f));
}

/// The factor by which an axis shrinks if it is a whole number, else 0.
int wholeFactor(int source, int target) {
  const double scale = scaleOf(source, target);
  const int nearest = static_cast<int>(std::lrint(scale));
  return target <= source && std::abs(scale - nearest) < DBL_EPSILON ? nearest : 0;
}

template <typename Sum, int Channels>
void resizeWhole(const uint8_t* source, int width, uint8_t* target, int outWidth, int outHeight, int factorX,
                 int factorY) {
  const int rowLength = outWidth * factorX * Channels;
  const size_t stride = static_cast<size_t>(width) * Channels;
  const float reciprocal = 1.0f / static_cast<float>(factorX * factorY);
  // OpenCV halves twice by shifting, ties up, only here; every other factor rounds ties to even.
  const bool byShift = factorX == 2 && factorY == 2;
  std::vector<Sum> columns(rowLength);
  std::vector<uint32_t> cells(static_cast<size_t>(outWidth) * Channels);
  for (int y = 0; y < outHeight; ++y) {
    const uint8_t* row = source + static_cast<size_t>(y) * factorY * stride;
    for (int i = 0; i < rowLength; ++i) columns[i] = row[i];
    for (int k = 1; k < factorY; ++k) {
      row += stride;
      for (int i = 0; i < rowLength; ++i) columns[i] = static_cast<Sum>(columns[i] + row[i]);
    }
    uint8_t* out = target + static_cast<size_t>(y) * outWidth * Channels;
    const Sum* in = columns.data();
    if (byShift) {
      for (int x = 0; x < outWidth; ++x) {
        for (int c = 0; c < Channels; ++c) {
          out[x * Channels + c] =
              static_cast<uint8_t>((in[2 * x * Channels + c] + in[(2 * x + 1) * Channels + c] + 2) >> 2);
        }
      }
      continue;
    }
    for (int x = 0; x < outWidth; ++x, in += factorX * Channels) {
      for (int c = 0; c < Channels; ++c) {
        uint32_t sum = 0;
        for (int k = 0; k < factorX; ++k) sum += in[k * Channels + c];
        cells[x * Channels + c] = sum;
      }
    }
    for (int i = 0; i < outWidth * Channels; ++i) {
      out[i] = roundToByte(static_cast<float>(static_cast<int32_t>(cells[i])) * reciprocal);
    }
  }
}

template <int Channels>
void resizeWhole(const uint8_t* source, int width, uint8_t* target, int outWidth, int outHeight, int factorX,
                 int factorY) {
  if (factorY <= 257) {  // so many times 255 fits sixteen bits
    resizeWhole<uint16_t, Channels>(source, width, target, outWidth, outHeight, factorX, factorY);
  } else {
    resizeWhole<uint32_t, Channels>(source, width, target, outWidth, outHeight, factorX, factorY);
  }
}

/// Copies up to kLanes rows so that the values of one column lie side by side.
void transposeRows(const uint8_t* source, size_t stride, int rows, int length, uint8_t* columns) {
  for (int lane = 0; lane < kLanes; ++lane) {
    // Past the last row any row will do: the lane's result is not read.
    const uint8_t* row = source + static_cast<size_t>(std::min(lane, rows - 1)) * stride;
    for (int i = 0; i < length; ++i) columns[static_cast<size_t>(i) * kLanes + lane] = row[i];
  }
}

/// One block of rows through the horizontal axis; rows of the result are `outLength` floats apart.
template <int Channels>
void resampleRows(const uint8_t* columns, const Axis& axis, int rows, size_t outLength, float* result) {
  for (size_t x = 0; x < axis.spans.size(); ++x) {
    const Axis::Span& span = axis.spans[x];
    const float* weights = axis.weights.data() + span.weights;
    for (int c = 0; c < Channels; ++c) {
      const uint8_t* column = columns + (static_cast<size_t>(span.first) * Channels + c) * kLanes;
      float sums[kLanes] = {};
      for (int k = 0; k < span.count; ++k, column += Channels * kLanes) {
        const float weight = weights[k];
        for (int lane = 0; lane < kLanes; ++lane) sums[lane] += static_cast<float>(column[lane]) * weight;
      }
      float* out = result + x * Channels + c;
      for (int lane = 0; lane < rows; ++lane) out[lane * outLength] = sums[lane];
    }
  }
}

template <int Channels>
void resizeGeneral(const uint8_t* source, int width, int height, uint8_t* target, int outWidth,
                   int outHeight) {
  const Axis horizontal = makeAxis(width, outWidth);
  const Axis vertical = makeAxis(height, outHeight);
  const int length = width * Channels;
  const size_t outLength = static_cast<size_t>(outWidth) * Channels;
  // Rows come in order, and an output row begins at or one before the last row of the one above it: of the
  // rows made so far only the newest block and the one before are read again.
  std::vector<float> ring(2 * kLanes * outLength);
  std::vector<uint8_t> columns(static_cast<size_t>(length) * kLanes);
  std::vector<float> sums(outLength);
  const auto rowOf = [&](int y) { return ring.data() + static_cast<size_t>(y % (2 * kLanes)) * outLength; };

  int ready = 0;
  for (int y = 0; y < outHeight; ++y) {
    const Axis::Span& span = vertical.spans[y];
    const float* weights = vertical.weights.data() + span.weights;
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (int k = 0; k < span.count; ++k) {
      for (; ready <= span.first + k; ready += kLanes) {
        const int rows = std::min(kLanes, height - ready);
        transposeRows(source + static_cast<size_t>(ready) * length, length, rows, length, columns.data());
        resampleRows<Channels>(columns.data(), horizontal, rows, outLength, rowOf(ready));
      }
      const float* row = rowOf(span.first + k);
      const float weight = weights[k];
      for (size_t i = 0; i < outLength; ++i) sums[i] += weight * row[i];
    }
    uint8_t* out = target + static_cast<size_t>(y) * outLength;
    for (size_t i = 0; i < outLength; ++i) out[i] = roundToByte(sums[i]);
  }
}

void checkSide(const char* name, int value) {
  if (value >= 1 && value <= kMaxSide) return;
  throw invalidArgument(std::string("Expected 1 to ") + std::to_string(kMaxSide) + " for " + name +
                        " but received " + std::to_string(value));
}

template <int Channels>
void resize(const uint8_t* source, int width, int height, uint8_t* target, int outWidth, int outHeight) {
  const int factorX = wholeFactor(width, outWidth);
  const int factorY = wholeFactor(height, outHeight);
  // OpenCV sums such a cell in an int; larger ones than fit go the general way.
  if (factorX > 0 && factorY > 0 && static_cast<int64_t>(factorX) * factorY <= INT32_MAX / 255) {
    resizeWhole<Channels>(source, width, target, outWidth, outHeight, factorX, factorY);
  } else {
    resizeGeneral<Channels>(source, width, height, target, outWidth, outHeight);
  }
}

}  // namespace

void checkResize(int width, int height, int channels, int outWidth, int outHeight) {
  checkSide("width", width);
  checkSide("height", height);
  checkSide("outWidth", outWidth);
  checkSide("outHeight", outHeight);
  if (channels == 1 || channels == 3) return;
  throw invalidArgument("Expected 1 or 3 for channels but received " + std::to_string(channels));
}

void resizeArea(const uint8_t* source, int width, int height, int channels, uint8_t* target, int outWidth,
                int outHeight) {
  checkResize(width, height, channels, outWidth, outHeight);
  if (width == outWidth && height == outHeight) {
    std::memcpy(target, source, static_cast<size_t>(width) * height * channels);
  } else if (channels == 1) {
    resize<1>(source, width, height, target, outWidth, outHeight);
  } else {
    resize<3>(source, width, height, target, outWidth, outHeight);
  }
}

}  // namespace cxr::image
