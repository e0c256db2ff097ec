// Heat maps: what SciPy's gaussian_filter makes of NumPy's histogram2d, computed from the points.
#pragma once

#include <cstddef>

namespace cxr::gaze {

/// Sides of a map.
constexpr int kMaxMapSide = 16384;
/// Standard deviations, in pixels of a map.
constexpr int kMaxSigma = 8 * kMaxMapSide;

/// Points in pixels of the map, with their weights, which are at least 0.
struct Points {
  const double* x;
  const double* y;
  const double* weight;
  size_t count;
};

struct HeatmapOptions {
  int height;
  int width;
  double sigmaRows;     ///< along the rows' axis (down), in pixels of the map
  double sigmaColumns;  ///< along the columns' axis (across)
  bool original;        ///< rows are bins of x, columns bins of y, both spanned by the points
  bool anchors;         ///< adds (0, 0) and (width, height) with weight 1
  bool scaleToOne;      ///< divides by the maximum
};

/// Renders one map into `map` [height * width]. Throws cxr::Error.
///
/// A histogram of n points has few rows that are not empty, so the filter is applied to those only: across,
/// point by point; then down, as sums of those rows.
void renderHeatmap(const Points& points, const HeatmapOptions& options, float* map);

}  // namespace cxr::gaze
