#include "image/pixel_file.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "runtime/error.h"

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>

#include <filesystem>
#include <mutex>
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace cxr::image {
namespace {

Error fileError(const std::string& path, const std::string& what) {
  return Error("ERR_FILE", "Expected to read prepared pixels from " + path + " but " + what);
}

std::string lastSystemError() { return std::error_code(errno, std::generic_category()).message(); }

#ifdef _WIN32
int openFile(const std::string& path) {
  return _wopen(std::filesystem::path(std::u8string(path.begin(), path.end())).c_str(),
                _O_RDONLY | _O_BINARY);
}
void closeFile(int descriptor) { _close(descriptor); }
int64_t sizeOf(int descriptor) { return _filelengthi64(descriptor); }
int64_t readSome(int descriptor, uint8_t* target, size_t length, uint64_t offset) {
  static std::mutex* mutex = new std::mutex();  // the position belongs to the descriptor
  std::lock_guard lock(*mutex);
  if (_lseeki64(descriptor, static_cast<int64_t>(offset), SEEK_SET) < 0) return -1;
  return _read(descriptor, target, static_cast<unsigned>(length > (1u << 30) ? (1u << 30) : length));
}
#else
int openFile(const std::string& path) { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }
void closeFile(int descriptor) { ::close(descriptor); }
int64_t sizeOf(int descriptor) {
  struct stat status{};
  return ::fstat(descriptor, &status) == 0 ? static_cast<int64_t>(status.st_size) : -1;
}
int64_t readSome(int descriptor, uint8_t* target, size_t length, uint64_t offset) {
  return ::pread(descriptor, target, length, static_cast<off_t>(offset));
}
#endif

}  // namespace

PixelFile::PixelFile(const std::string& path, uint64_t bytes)
    : path_(path), bytes_(bytes), descriptor_(openFile(path)) {
  if (descriptor_ < 0) throw fileError(path, "it cannot be opened: " + lastSystemError());
  const int64_t size = sizeOf(descriptor_);
  if (size >= 0 && static_cast<uint64_t>(size) >= bytes) return;
  const std::string problem =
      size < 0 ? "its length cannot be had: " + lastSystemError()
               : "its length is " + std::to_string(size) + " bytes, less than " + std::to_string(bytes);
  closeFile(descriptor_);
  throw fileError(path, problem);
}

PixelFile::~PixelFile() { closeFile(descriptor_); }

void PixelFile::read(uint64_t offset, size_t length, uint8_t* target) const {
  if (length > bytes_ || offset > bytes_ - length) {
    throw fileError(path_, "bytes " + std::to_string(offset) + " to " + std::to_string(offset + length) +
                               " lie beyond its " + std::to_string(bytes_));
  }
  while (length > 0) {
    const int64_t got = readSome(descriptor_, target, length, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw fileError(path_, "reading failed: " + lastSystemError());
    if (got == 0)
      throw fileError(path_, "it ends at byte " + std::to_string(offset) + ": it was cut short while open");
    target += got;
    offset += static_cast<uint64_t>(got);
    length -= static_cast<size_t>(got);
  }
}

}  // namespace cxr::image
