#include "runtime/host_memory.h"

#ifdef __linux__

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>
#include <unordered_map>

namespace cxr {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;
/// Smaller blocks are left to malloc, which keeps them well enough.
constexpr size_t kLeastBlock = size_t{32} << 10;

void* map(size_t bytes) {
  // Aligned, so that the system can back it with huge pages: fewer faults, fewer misses of the TLB.
  const size_t slack = bytes >= kHugePage ? kHugePage : 0;
  void* mapped = mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  if (slack == 0) return mapped;
  auto* begin = static_cast<char*>(mapped);
  const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
  if (before > 0) munmap(begin, before);
  if (slack > before) munmap(begin + before + bytes, slack - before);
  madvise(begin + before, bytes, MADV_HUGEPAGE);
  return begin + before;
}

/// Keeps what is given back, since a step asks for the same sizes as the step before it. Used and kept blocks together
/// never hold more than 1/8 above what was in use at one time: less than malloc loses in gaps.
class BlockStore {
 public:
  static BlockStore& instance() {
    static auto* store = new BlockStore();  // never destroyed: tensors may outlive every static object
    return *store;
  }

  /// Null where the system has no memory left.
  void* take(size_t bytes) {
    const size_t size = (bytes + kPage - 1) / kPage * kPage;
    std::lock_guard lock(mutex_);
    Block block = takeKept(size);
    if (block.place == nullptr) {
      makeRoom(size);
      block = {map(size), size};
      if (block.place == nullptr) {
        dropAll();
        block.place = map(size);
      }
      if (block.place == nullptr) return nullptr;
    }
    used_.emplace(block.place, block.size);
    usedBytes_ += block.size;
    peak_ = std::max(peak_, usedBytes_);
    return block.place;
  }

  /// False for a block of another origin.
  bool give(void* place) {
    if (reinterpret_cast<uintptr_t>(place) % kPage != 0) return false;
    std::lock_guard lock(mutex_);
    auto found = used_.find(place);
    if (found == used_.end()) return false;
    usedBytes_ -= found->second;
    keptBytes_ += found->second;
    kept_.emplace(found->second, place);
    used_.erase(found);
    return true;
  }

  void release() {
    std::lock_guard lock(mutex_);
    dropAll();
    peak_ = usedBytes_;
  }

  HostMemory counts() {
    std::lock_guard lock(mutex_);
    return {usedBytes_, keptBytes_};
  }

 private:
  struct Block {
    void* place = nullptr;
    size_t size = 0;
  };

  // A kept block of this size or a little more; of those the one given back last, which may still be in the processor's
  // cache.
  Block takeKept(size_t size) {
    auto found = kept_.lower_bound(size);
    if (found == kept_.end() || found->first > size + size / 8) return {};
    found = std::prev(kept_.upper_bound(found->first));
    const Block block{found->second, found->first};
    keptBytes_ -= block.size;
    kept_.erase(found);
    return block;
  }

  // The largest go first: few of them are in use at once, and each makes room for many.
  void makeRoom(size_t size) {
    const size_t peak = std::max(peak_, usedBytes_ + size);
    while (!kept_.empty() && usedBytes_ + size + keptBytes_ > peak + peak / 8) dropLargest();
  }

  void dropLargest() {
    const auto largest = std::prev(kept_.end());
    munmap(largest->second, largest->first);
    keptBytes_ -= largest->first;
    kept_.erase(largest);
  }

  void dropAll() {
    while (!kept_.empty()) dropLargest();
  }

  std::mutex mutex_;
  std::unordered_map<void*, size_t> used_;
  std::multimap<size_t, void*> kept_;  // by size; those of one size in the order in which they were given back
  size_t usedBytes_ = 0;
  size_t keptBytes_ = 0;
  size_t peak_ = 0;
};

void giveBack(void* block) {
  if (!BlockStore::instance().give(block)) c10::free_cpu(block);
}

class HostAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* block = bytes >= kLeastBlock ? BlockStore::instance().take(bytes) : nullptr;
    // What the store cannot give, LibTorch's own allocator refuses in its own words.
    if (block == nullptr) block = c10::alloc_cpu(bytes);
    return {block, block, &giveBack, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &giveBack; }
  void copy_data(void* to, const void* from, std::size_t count) const override { default_copy_data(to, from, count); }
};

}  // namespace

void installHostMemory() {
  static std::once_flag once;
  std::call_once(once, [] { c10::SetCPUAllocator(new HostAllocator(), /*priority=*/1); });
}

void releaseHostMemory() { BlockStore::instance().release(); }

HostMemory hostMemory() { return BlockStore::instance().counts(); }

}  // namespace cxr

#else

namespace cxr {

void installHostMemory() {}
void releaseHostMemory() {}
HostMemory hostMemory() { return {0, 0}; }

}  // namespace cxr

#endif
