#include "gaze/sum_of_rows.h"

#include <algorithm>
#include <cstring>

namespace cxr::gaze {
namespace {

#if defined(__GNUC__)
/// Two doubles that the compiler keeps in one register of 128 bits, which every x86-64 and ARM64 has.
using Pair = double __attribute__((vector_size(16)));
#else
struct Pair {
  double values[2];
  Pair& operator+=(const Pair& other) {
    values[0] += other.values[0];
    values[1] += other.values[1];
    return *this;
  }
  friend Pair operator*(double factor, const Pair& pair) {
    return {{factor * pair.values[0], factor * pair.values[1]}};
  }
};
#endif

/// Strips whose results make up one cache line of the map.
constexpr int kGroup = 4;

/// sums[r][c] = sum over j of weights[j][r] * strip[j][c].
inline void tile(const double* strip, const double* weights, size_t count, double (&sums)[kTile][kTile]) {
  Pair total[kTile][kTile / 2] = {};
  for (size_t j = 0; j < count; ++j, strip += kTile, weights += kTile) {
    Pair left;
    Pair right;
    std::memcpy(&left, strip, sizeof(Pair));
    std::memcpy(&right, strip + 2, sizeof(Pair));
    for (int r = 0; r < kTile; ++r) {
      total[r][0] += weights[r] * left;
      total[r][1] += weights[r] * right;
    }
  }
  std::memcpy(sums, total, sizeof(sums));
}

}  // namespace

RowSet::RowSet(size_t rows, int width)
    : rows_(rows),
      width_(width),
      strips_((width + kTile - 1) / kTile),
      values_(rows * static_cast<size_t>(strips_) * kTile, 0.0) {}

void RowSet::set(size_t row, const double* values) {
  for (int s = 0; s < strips_; ++s) {
    const int columns = std::min(kTile, width_ - s * kTile);
    double* target = values_.data() + (static_cast<size_t>(s) * rows_ + row) * kTile;
    std::copy_n(values + static_cast<size_t>(s) * kTile, columns, target);
  }
}

BlockWeights::BlockWeights(const std::vector<int>& numbers, int height, int radius)
    : blocks_((static_cast<size_t>(height) + kTile - 1) / kTile) {
  size_t tiles = 0;
  size_t first = 0;
  size_t end = 0;
  for (size_t b = 0; b < blocks_.size(); ++b) {
    const int top = static_cast<int>(b) * kTile;
    const int bottom = top + kTile - 1;
    // A mirror image reaches no row that the row itself does not reach.
    while (first < numbers.size() && numbers[first] < top - radius) ++first;
    while (end < numbers.size() && numbers[end] <= bottom + radius) ++end;
    blocks_[b] = {first, end - first, tiles};
    tiles += end - first;
  }
  weights_.resize(tiles * kTile, 0.0);
}

double sumOfRows(const RowSet& rows, const BlockWeights& weights, int height, int width, float* map) {
  double top = 0;
  for (int group = 0; group < rows.strips(); group += kGroup) {
    const int strips = std::min(kGroup, rows.strips() - group);
    for (size_t b = 0; b < weights.blocks().size(); ++b) {
      const BlockWeights::Block& block = weights.blocks()[b];
      const int y = static_cast<int>(b) * kTile;
      const int tall = std::min(kTile, height - y);
      for (int s = group; s < group + strips; ++s) {
        double sums[kTile][kTile];
        tile(rows.strip(s) + block.first * kTile, weights.of(block), block.count, sums);
        const int x = s * kTile;
        const int wide = std::min(kTile, width - x);
        for (int r = 0; r < tall; ++r) {
          float* target = map + static_cast<size_t>(y + r) * width + x;
          for (int c = 0; c < wide; ++c) {
            target[c] = static_cast<float>(sums[r][c]);
            top = std::max(top, sums[r][c]);
          }
        }
      }
    }
  }
  return top;
}

}  // namespace cxr::gaze
