// Reading records of raw 8-bit pixels from the prepared cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace cxr::image {

/// A file opened for reads at an offset, from any thread.
///
/// Not a memory map: a map of a file that somebody cuts short kills the process with SIGBUS where a read
/// reports an error, and mapped pages count as resident memory. The copy out of the page cache is a few
/// microseconds a record.
class PixelFile {
 public:
  /// Throws ERR_FILE when `path` (UTF-8) cannot be opened or holds less than `bytes` bytes.
  PixelFile(const std::string& path, uint64_t bytes);
  ~PixelFile();
  PixelFile(const PixelFile&) = delete;
  PixelFile& operator=(const PixelFile&) = delete;

  /// Fills `target` with the `length` bytes at `offset`; throws ERR_FILE if they cannot all be had.
  void read(uint64_t offset, size_t length, uint8_t* target) const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  uint64_t bytes_;
  int descriptor_ = -1;
};

}  // namespace cxr::image
