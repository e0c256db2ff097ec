#include "io/tensor_file.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "tensor/failure.h"

namespace cxr {
namespace {

struct Place {
  std::string path;
  int64_t offset;
  at::ScalarType type;
  std::vector<int64_t> shape, strides;
};

// Number of elements from the first to the last one that the strides reach.
int64_t extentOf(const Place& place) {
  int64_t last = 0;
  for (size_t i = 0; i < place.shape.size(); ++i) {
    if (place.shape[i] < 0 || place.strides[i] < 0) throw invalidShape("Negative size or stride in " + place.path);
    if (place.shape[i] == 0) return 0;
    const int64_t room = std::numeric_limits<int64_t>::max() - 1 - last;
    if (place.strides[i] > 0 && place.shape[i] - 1 > room / place.strides[i]) {
      throw invalidShape("Sizes too large in " + place.path);
    }
    last += (place.shape[i] - 1) * place.strides[i];
  }
  return last + 1;
}

at::Tensor readTensor(const Place& place) {
  const int64_t extent = extentOf(place);
  const auto elementSize = static_cast<int64_t>(c10::elementSize(place.type));
  const std::filesystem::path path(std::u8string(place.path.begin(), place.path.end()));
  std::error_code error;
  const auto fileSize = static_cast<int64_t>(std::filesystem::file_size(path, error));
  if (error) throw Error("ERR_FILE", "Cannot read " + place.path + ": " + error.message());
  if (place.offset < 0 || place.offset > fileSize || extent > (fileSize - place.offset) / elementSize) {
    throw Error("ERR_CHECKPOINT", place.path + " ends before the tensor at byte " + std::to_string(place.offset));
  }
  auto flat = at::empty({extent}, place.type);
  std::ifstream file(path, std::ios::binary);
  file.seekg(place.offset);
  file.read(static_cast<char*>(flat.data_ptr()), extent * elementSize);
  if (!file) throw Error("ERR_FILE", "Cannot read " + place.path + " from byte " + std::to_string(place.offset));
  if (extent == 0) return at::empty(place.shape, place.type);
  return flat.as_strided(place.shape, place.strides).contiguous();
}

}  // namespace

void registerTensorFiles(Registry& registry) {
  registry.add("io.readTensor", 0, 0, [](const Options& options) -> Kernel {
    Place place{options.text("file"), options.integer("byteOffset"), parseDtype(options.text("dtype")),
                options.integers("shape"), options.integers("strides")};
    if (place.shape.size() != place.strides.size()) throw invalidShape("Expected one stride a dimension");
    return [place](const Tensors&) -> Tensors { return {readTensor(place)}; };
  });
}

}  // namespace cxr
