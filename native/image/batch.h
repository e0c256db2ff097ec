// One batch of network inputs, still 8-bit, from prepared pixels.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "image/pixel_file.h"

namespace cxr::image {

/// One image of a batch: where its pixels lie and what is done to them.
struct BatchItem {
  const uint8_t* memory = nullptr;        ///< the pixels, if they are in memory
  std::shared_ptr<const PixelFile> file;  ///< else the file that holds them
  uint64_t offset = 0;                    ///< where in the file
  int channels = 1;
  bool flip = false;
  double angle = 0;  ///< degrees, counter-clockwise
};

struct Batch {
  std::vector<uint8_t> pixels;  ///< [B, height, width, channels]
  int channels = 1;
};

/// Reads, mirrors and rotates each item and places it by its index. The batch has one channel if every item
/// has; else grey items are replicated into three.
Batch assembleBatch(const std::vector<BatchItem>& items, int width, int height);

}  // namespace cxr::image
