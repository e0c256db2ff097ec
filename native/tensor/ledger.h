// How many tensors and bytes one environment holds. A storage is counted once, however many handles share it.
#pragma once

#include <ATen/ATen.h>

#include <atomic>
#include <mutex>
#include <unordered_map>

namespace cxr {

class Ledger {
 public:
  /// Returns the key to give to `remove`; null for a tensor without storage.
  const void* add(const at::Tensor& tensor);
  void remove(const void* storage);

  /// Host bytes gained or lost since the last call, to be told to the garbage collector on the JavaScript thread.
  int64_t takeHostDelta() { return hostDelta_.exchange(0); }
  int64_t hostBytes() const { return hostBytes_; }
  int64_t deviceBytes() const { return deviceBytes_; }

  std::atomic<int64_t> liveTensors{0};  ///< handles that are not disposed

 private:
  struct Entry {
    int64_t holders;
    int64_t bytes;
    bool onHost;
    /// Frees nothing later than otherwise, but keeps the key from being another storage's address meanwhile: a
    /// parameter's storage can be exchanged under the handles that counted it.
    c10::weak_intrusive_ptr<c10::StorageImpl> storage;
  };
  std::mutex mutex_;
  std::unordered_map<const void*, Entry> storages_;
  std::atomic<int64_t> hostBytes_{0};
  std::atomic<int64_t> deviceBytes_{0};
  std::atomic<int64_t> hostDelta_{0};
};

}  // namespace cxr
