#include "image/normalize.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "tensor/registry.h"

namespace cxr {
namespace {

constexpr int64_t kChannels = 3;
/// Row v holds the three results for the byte v.
using Table = std::array<float, 256 * kChannels>;

/// torchvision's ToTensor and Normalize in their own float32 steps: divide by 255, subtract, divide.
Table makeTable(const std::vector<double>& mean, const std::vector<double>& std) {
  Table table;
  for (int value = 0; value < 256; ++value) {
    const float scaled = static_cast<float>(value) / 255.0f;
    for (int c = 0; c < kChannels; ++c) {
      table[value * kChannels + c] = (scaled - static_cast<float>(mean[c])) / static_cast<float>(std[c]);
    }
  }
  return table;
}

std::vector<double> threeNumbers(const Options& options, const std::string& name, bool positive) {
  const auto values = options.numbers(name);
  bool fits = values.size() == kChannels;
  for (double value : values) fits = fits && std::isfinite(value) && (!positive || value > 0);
  if (fits) return values;
  throw invalidArgument(std::string("Expected three finite numbers") + (positive ? " above 0" : "") +
                        " for " + name + " but received " + std::to_string(values.size()) + " numbers");
}

/// pixels [B, H, W, C] -> [B, H, W, 3]
void lookUp(const at::Tensor& pixels, const Table& table, at::Tensor& result) {
  const int64_t channels = pixels.size(3);
  const uint8_t* in = pixels.const_data_ptr<uint8_t>();
  float* out = result.mutable_data_ptr<float>();
  at::parallel_for(0, pixels.numel() / channels, 1 << 15, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t c = 0; c < kChannels; ++c) {
        const uint8_t value = channels == 1 ? in[i] : in[i * kChannels + c];
        out[i * kChannels + c] = table[value * kChannels + c];
      }
    }
  });
}

/// The same by gathering, for devices whose division may round otherwise than the table.
at::Tensor gather(const at::Tensor& pixels, const Table& table) {
  const auto onDevice = at::tensor(at::ArrayRef<float>(table.data(), table.size()), at::kFloat)
                            .view({256, kChannels})
                            .to(pixels.device());
  const auto indices = pixels.to(at::kLong);
  if (pixels.size(3) == 1)
    return onDevice.index_select(0, indices.flatten())
        .view({pixels.size(0), pixels.size(1), pixels.size(2), kChannels});
  return onDevice.gather(0, indices.view({-1, kChannels})).view(pixels.sizes());
}

at::Tensor normalize(const at::Tensor& pixels, const Table& table) {
  if (pixels.scalar_type() != at::kByte) {
    throw Error("ERR_INVALID_DTYPE", std::string("Expected uint8 pixels for image.normalize but received ") +
                                         c10::toString(pixels.scalar_type()));
  }
  if (pixels.dim() != 4 || (pixels.size(3) != 1 && pixels.size(3) != kChannels)) {
    std::string shape;
    for (int64_t size : pixels.sizes()) shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    throw invalidShape("Expected pixels [B, H, W, 1 or 3] for image.normalize but received [" + shape + "]");
  }
  at::Tensor result;
  if (pixels.is_cpu()) {
    const auto dense = pixels.contiguous();
    result = at::empty({dense.size(0), dense.size(1), dense.size(2), kChannels},
                       dense.options().dtype(at::kFloat));
    lookUp(dense, table, result);
  } else {
    result = gather(pixels.contiguous(), table);
  }
  return result.permute({0, 3, 1, 2});
}

}  // namespace

void registerImageOps(Registry& registry) {
  registry.add("image.normalize", 1, 1, [](const Options& options) -> Kernel {
    const Table table = makeTable(threeNumbers(options, "mean", false), threeNumbers(options, "std", true));
    return [table](const Tensors& inputs) -> Tensors { return {normalize(inputs[0], table)}; };
  });
}

}  // namespace cxr
