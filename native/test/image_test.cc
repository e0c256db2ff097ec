#include <vector>

#include "image/resize.h"
#include "image/resize_opencv.h"
#include "image/resize_pillow.h"
#include "image/rotate.h"
#include "test/check.h"

namespace cxr::test {
namespace {

const bool sizes = add("images: every small size, to the last byte of exact buffers", [] {
  for (int channels : {1, 3}) {
    for (int width : {1, 2, 3, 7, 16, 33}) {
      for (int height : {1, 2, 5, 17}) {
        const std::vector<uint8_t> source(static_cast<size_t>(width) * height * channels, 200);
        for (int outWidth : {1, 2, 5, 16, 40}) {
          for (int outHeight : {1, 3, 17, 30}) {
            std::vector<uint8_t> target(static_cast<size_t>(outWidth) * outHeight * channels, 1);
            for (auto resize : {image::resizeArea, image::resizePillowBilinear, image::resizeOpenCvBilinear}) {
              resize(source.data(), width, height, channels, target.data(), outWidth, outHeight);
              for (uint8_t value : target) check(value == 200, "a flat image stays flat");
            }
          }
        }
        for (double degrees : {0.0, -15.0, 15.0, 90.0, 180.0, 0.001, 359.0}) {
          std::vector<uint8_t> target(source.size(), 1);
          image::augment(source.data(), width, height, channels, degrees > 0, degrees, target.data());
          for (uint8_t value : target) check(value <= 200, "a value that was not there");
        }
      }
    }
  }
});

}  // namespace
}  // namespace cxr::test
