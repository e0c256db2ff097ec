#include "gaze/heatmap.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "gaze/sum_of_rows.h"
#include "runtime/error.h"

namespace cxr::gaze {
namespace {

/// The weights of a Gaussian at -radius .. radius, summing to 1.
class Kernel {
 public:
  /// Cut off at 4 sigma, the radius rounded as SciPy rounds it.
  explicit Kernel(double sigma)
      : radius_(static_cast<int>(4.0 * sigma + 0.5)), weights_(2 * static_cast<size_t>(radius_) + 1) {
    double sum = 0;
    for (int d = -radius_; d <= radius_; ++d) {
      sum += weights_[d + radius_] = std::exp(-0.5 / (sigma * sigma) * d * d);
    }
    for (double& weight : weights_) weight /= sum;
  }
  int radius() const { return radius_; }

  /// Adds what a point at `centre` gives to line[0..length). Beyond its ends the line goes on as its mirror
  /// image, "d c b a | a b c d | d c b a", and again mirrored: the point is seen at centre + 2 m length and at
  /// -1 - centre + 2 m length.
  void spread(double* line, int length, int centre, double weight) const {
    const int64_t period = 2 * static_cast<int64_t>(length);
    for (const int64_t image : {static_cast<int64_t>(centre), -1 - static_cast<int64_t>(centre)}) {
      // The first image that still reaches into the line; later ones follow a period apart.
      int64_t at = image - (image + radius_) / period * period;
      while (at + radius_ >= 0) at -= period;
      for (at += period; at - radius_ < length; at += period) {
        const auto from = static_cast<int>(std::max<int64_t>(0, at - radius_));
        const auto to = static_cast<int>(std::min<int64_t>(length - 1, at + radius_));
        const double* kernel = weights_.data() + (from - at + radius_);
        double* target = line + from;
        for (int i = 0; i <= to - from; ++i) target[i] += weight * kernel[i];
      }
    }
  }

 private:
  int radius_;
  std::vector<double> weights_;
};

/// Equal bins over a range, as NumPy's histogram makes them: edges from `linspace`, the last bin closed.
class Bins {
 public:
  Bins(double low, double high, int count) : low_(low), high_(high), count_(count) {
    if (low_ == high_) {
      low_ -= 0.5;
      high_ += 0.5;
    }
    step_ = (high_ - low_) / count_;
  }
  /// Index of the bin, or -1 for a value outside the range.
  int find(double value) const {
    if (!(value >= low_ && value <= high_)) return -1;
    int bin = std::clamp(static_cast<int>((value - low_) / step_), 0, count_ - 1);
    // The quotient may round across an edge; the edge itself decides.
    while (bin > 0 && value < edge(bin)) --bin;
    while (bin + 1 < count_ && value >= edge(bin + 1)) ++bin;
    return bin;
  }

 private:
  double edge(int bin) const { return bin == count_ ? high_ : bin * step_ + low_; }

  double low_;
  double high_;
  int count_;
  double step_;
};

struct Entry {
  int row;
  int column;
  double weight;
};

/// The range that the values span, with the two anchors if there are any.
Bins spanned(const double* values, size_t count, bool anchors, double anchor, int bins) {
  double low = anchors ? 0 : count > 0 ? values[0] : 0;
  double high = anchors ? anchor : count > 0 ? values[0] : 1;
  for (size_t i = 0; i < count; ++i) {
    low = std::min(low, values[i]);
    high = std::max(high, values[i]);
  }
  return Bins(low, high, bins);
}

/// The cells of the histogram that are not empty, by row; a cell may occur several times.
std::vector<Entry> entriesOf(const Points& points, const HeatmapOptions& options) {
  const int height = options.height;
  const int width = options.width;
  const double* down = options.original ? points.x : points.y;
  const double* across = options.original ? points.y : points.x;
  // In the original's layout the anchors are (0, 0) and (width, height) over axes (x, y).
  const double downAnchor = options.original ? width : height;
  const double acrossAnchor = options.original ? height : width;
  const Bins rows = options.original ? spanned(down, points.count, options.anchors, downAnchor, height)
                                     : Bins(0, height, height);
  const Bins columns = options.original ? spanned(across, points.count, options.anchors, acrossAnchor, width)
                                        : Bins(0, width, width);
  std::vector<Entry> entries;
  entries.reserve(points.count + 2);
  const auto add = [&](double v, double u, double weight) {
    const int row = rows.find(v);
    const int column = columns.find(u);
    if (row >= 0 && column >= 0 && weight > 0) entries.push_back({row, column, weight});
  };
  for (size_t i = 0; i < points.count; ++i) add(down[i], across[i], points.weight[i]);
  if (options.anchors) {
    add(0, 0, 1);
    add(downAnchor, acrossAnchor, 1);
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.row < b.row; });
  return entries;
}

/// Filters the rows that are not empty across. Their numbers go to `numbers`.
RowSet filterAcross(const std::vector<Entry>& entries, int width, const Kernel& kernel,
                    std::vector<int>& numbers) {
  for (const Entry& entry : entries) {
    if (numbers.empty() || numbers.back() != entry.row) numbers.push_back(entry.row);
  }
  RowSet rows(numbers.size(), width);
  std::vector<double> cells(width, 0.0);
  std::vector<double> line(width);
  std::vector<int> touched;
  size_t next = 0;
  for (size_t j = 0; j < numbers.size(); ++j) {
    // Cells first: many samples in one place are one addition of the kernel.
    for (; next < entries.size() && entries[next].row == numbers[j]; ++next) {
      if (cells[entries[next].column] == 0) touched.push_back(entries[next].column);
      cells[entries[next].column] += entries[next].weight;
    }
    std::fill(line.begin(), line.end(), 0.0);
    for (int column : touched) {
      kernel.spread(line.data(), width, column, cells[column]);
      cells[column] = 0;
    }
    touched.clear();
    rows.set(j, line.data());
  }
  return rows;
}

/// How much of each row that is not empty goes to each row of the map.
BlockWeights weightsDown(const std::vector<int>& numbers, int height, const Kernel& kernel) {
  BlockWeights weights(numbers, height, kernel.radius());
  std::vector<double> line(height, 0.0);
  for (size_t j = 0; j < numbers.size(); ++j) {
    kernel.spread(line.data(), height, numbers[j], 1);
    const int from = std::max(0, numbers[j] - kernel.radius());
    const int to = std::min(height - 1, numbers[j] + kernel.radius());
    for (int y = from; y <= to; ++y) {
      weights.at(y, j) = line[y];
      line[y] = 0;
    }
  }
  return weights;
}

void check(const HeatmapOptions& options) {
  for (int side : {options.height, options.width}) {
    if (side >= 1 && side <= kMaxMapSide) continue;
    throw invalidArgument("Expected sides from 1 to " + std::to_string(kMaxMapSide) +
                          " of a heat map but received " + std::to_string(side));
  }
  for (double sigma : {options.sigmaRows, options.sigmaColumns}) {
    if (sigma > 0 && sigma <= kMaxSigma) continue;
    throw invalidArgument("Expected a standard deviation above 0 and at most " + std::to_string(kMaxSigma) +
                          " pixels of the map but received " + std::to_string(sigma));
  }
}

}  // namespace

void renderHeatmap(const Points& points, const HeatmapOptions& options, float* map) {
  check(options);
  const size_t area = static_cast<size_t>(options.height) * options.width;
  const std::vector<Entry> entries = entriesOf(points, options);
  if (entries.empty()) {
    std::fill(map, map + area, 0.0f);
    return;
  }
  std::vector<int> numbers;
  const RowSet rows = filterAcross(entries, options.width, Kernel(options.sigmaColumns), numbers);
  const BlockWeights weights = weightsDown(numbers, options.height, Kernel(options.sigmaRows));
  const double top = sumOfRows(rows, weights, options.height, options.width, map);
  if (!options.scaleToOne || !(top > 0)) return;
  // By the maximum as the map holds it, so that it becomes 1 exactly.
  const double scale = 1.0 / static_cast<float>(top);
  for (size_t i = 0; i < area; ++i) map[i] = static_cast<float>(map[i] * scale);
}

}  // namespace cxr::gaze
