#include "io/tensor_file.h"

#include <ATen/ATen.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "tensor/failure.h"

namespace cxr {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FilePtr = std::unique_ptr<std::FILE, CloseFile>;

Error fileError(const std::string& what, const std::string& path) {
  return Error("ERR_FILE", what + " " + path + ": " + std::strerror(errno));
}

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
    int64_t reach = 0;
    if (__builtin_mul_overflow(place.shape[i] - 1, place.strides[i], &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      throw invalidShape("Sizes too large in " + place.path);
    }
  }
  return last + 1;
}

at::Tensor readTensor(const Place& place) {
  const int64_t extent = extentOf(place);
  const auto elementSize = static_cast<int64_t>(c10::elementSize(place.type));
  std::error_code error;
  const auto fileSize = static_cast<int64_t>(std::filesystem::file_size(place.path, error));
  if (error) throw Error("ERR_FILE", "Cannot read " + place.path + ": " + error.message());
  if (place.offset < 0 || place.offset > fileSize || extent > (fileSize - place.offset) / elementSize) {
    throw Error("ERR_CHECKPOINT", place.path + " ends before the tensor at byte " + std::to_string(place.offset));
  }
  auto flat = at::empty({extent}, place.type);
  FilePtr file(std::fopen(place.path.c_str(), "rb"));
  if (!file) throw fileError("Cannot open", place.path);
  if (fseeko(file.get(), place.offset, SEEK_SET) != 0) throw fileError("Cannot seek in", place.path);
  if (std::fread(flat.data_ptr(), elementSize, extent, file.get()) != static_cast<size_t>(extent)) {
    throw fileError("Cannot read", place.path);
  }
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
