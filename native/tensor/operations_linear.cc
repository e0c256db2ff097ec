#include <ATen/ATen.h>

#include "tensor/operations.h"

namespace cxr {

void registerLinear(Registry& registry) {
  registry.add("matmul", 2, 2, [](const Options&) -> Kernel {
    return [](const Tensors& in) -> Tensors { return {at::matmul(in[0], in[1])}; };
  });
  registry.add("interpolate", 1, 1, [](const Options& options) -> Kernel {
    const auto size = options.integers("size");
    const bool alignCorners = options.flag("alignCorners");
    if (size.size() != 2) throw invalidArgument("Expected [height, width] for size");
    if (size[0] < 1 || size[1] < 1) throw invalidArgument("Expected at least 1 for the height and width of size");
    return [=](const Tensors& in) -> Tensors {
      return {at::upsample_bilinear2d(in[0], size, alignCorners, std::nullopt, std::nullopt)};
    };
  });
}

}  // namespace cxr
