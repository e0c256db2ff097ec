#include "image/batch.h"

#include <algorithm>
#include <cstddef>

#include "image/rotate.h"
#include "runtime/error.h"

namespace cxr::image {
namespace {

void replicateGrey(const uint8_t* grey, size_t count, uint8_t* target) {
  for (size_t i = 0; i < count; ++i) {
    target[3 * i] = target[3 * i + 1] = target[3 * i + 2] = grey[i];
  }
}

}  // namespace

Batch assembleBatch(const std::vector<BatchItem>& items, int width, int height) {
  if (items.empty()) throw invalidArgument("Expected at least one item in a batch but received none");
  Batch batch;
  for (const BatchItem& item : items) batch.channels = std::max(batch.channels, item.channels);
  const size_t area = static_cast<size_t>(width) * height;
  const size_t stride = area * batch.channels;
  batch.pixels.resize(items.size() * stride);
  std::vector<uint8_t> record(stride);
  std::vector<uint8_t> grey(area);
  for (size_t i = 0; i < items.size(); ++i) {
    const BatchItem& item = items[i];
    const uint8_t* source = item.memory;
    if (source == nullptr) {
      item.file->read(item.offset, area * item.channels, record.data());
      source = record.data();
    }
    uint8_t* target = batch.pixels.data() + i * stride;
    const bool replicate = item.channels < batch.channels;
    augment(source, width, height, item.channels, item.flip, item.angle, replicate ? grey.data() : target);
    if (replicate) replicateGrey(grey.data(), area, target);
  }
  return batch;
}

}  // namespace cxr::image
