// Weighted sums of a few rows, for every row of an image: the inner loop of the heat maps. A product of
// matrices whose left side is banded; laid out so that four sums of four columns stay in registers.
#pragma once

#include <cstddef>
#include <vector>

namespace cxr::gaze {

/// Rows and columns that are computed together.
constexpr int kTile = 4;

/// Rows of doubles, kept as strips of kTile columns: strip by strip, row by row.
class RowSet {
 public:
  RowSet(size_t rows, int width);
  void set(size_t row, const double* values);
  const double* strip(int index) const {
    return values_.data() + static_cast<size_t>(index) * rows_ * kTile;
  }
  int strips() const { return strips_; }

 private:
  size_t rows_;
  int width_;
  int strips_;
  std::vector<double> values_;
};

/// For each block of kTile rows of the map: which of the rows reach it, and their weights for each of its rows.
class BlockWeights {
 public:
  /// `numbers`: where in the map the rows lie, ascending; each reaches `radius` rows up and down.
  BlockWeights(const std::vector<int>& numbers, int height, int radius);
  /// Weight of row `j` for row `y` of the map; must lie within its reach.
  double& at(int y, size_t j) {
    const Block& block = blocks_[y / kTile];
    return weights_[(block.offset + j - block.first) * kTile + y % kTile];
  }

  struct Block {
    size_t first = 0;   ///< first row that reaches it
    size_t count = 0;   ///< rows that do
    size_t offset = 0;  ///< of its weights, in tiles
  };
  const std::vector<Block>& blocks() const { return blocks_; }
  const double* of(const Block& block) const { return weights_.data() + block.offset * kTile; }

 private:
  std::vector<Block> blocks_;
  std::vector<double> weights_;
};

/// map[y][x] = sum over j of weight(y, j) * rows[j][x]; summed in double precision. Returns the largest sum.
double sumOfRows(const RowSet& rows, const BlockWeights& weights, int height, int width, float* map);

}  // namespace cxr::gaze
