#include <cmath>
#include <vector>

#include "gaze/heatmap.h"
#include "runtime/error.h"
#include "test/check.h"

namespace cxr::test {
namespace {

const bool sizes = add("heat maps: every small size, to the last byte of exact buffers", [] {
  for (int width : {1, 2, 3, 4, 5, 16, 17, 33}) {
    for (int height : {1, 2, 3, 4, 7, 20}) {
      // Corners, edges, the middle, beyond.
      const std::vector<double> x{0, 0, double(width), width / 2.0, width - 1e-9, -1, width + 1.0};
      const std::vector<double> y{0, double(height), 0, height / 2.0, height - 1e-9, 0, 0};
      const std::vector<double> weight{1, 2, 3, 0, 4, 5, 6};
      const gaze::Points points{x.data(), y.data(), weight.data(), x.size()};
      for (double sigma : {0.05, 0.7, 3.0, 50.0}) {
        for (bool original : {false, true}) {
          std::vector<float> map(static_cast<size_t>(width) * height, -1);
          const gaze::HeatmapOptions options{height, width, sigma, 2 * sigma, original, original, false};
          gaze::renderHeatmap(points, options, map.data());
          double sum = 0;
          for (float value : map) {
            check(value >= 0, "a map is nowhere below 0");
            sum += value;
          }
          // On the film 1 + 2 + 3 + 4; the original's range takes all in, and two anchors.
          check(std::abs(sum - (original ? 23 : 10)) < 1e-4, "reflected borders lose nothing");
        }
      }
    }
  }
});

const bool faults = add("heat maps: sizes and blurs that cannot be are refused", [] {
  float map = 0;
  const gaze::Points none{nullptr, nullptr, nullptr, 0};
  for (const auto& options : {gaze::HeatmapOptions{0, 1, 1, 1, false, false, false},
                              gaze::HeatmapOptions{1, 1, 0, 1, false, false, false},
                              gaze::HeatmapOptions{1, 1, 1, std::nan(""), false, false, false}}) {
    const auto code = codeOf<Error>([&] { gaze::renderHeatmap(none, options, &map); });
    check(code == "ERR_INVALID_ARGUMENT", "an option out of range");
  }
});

}  // namespace
}  // namespace cxr::test
