#include "tensor/ledger.h"

namespace cxr {

const void* Ledger::add(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.has_storage()) return nullptr;
  const c10::Storage& storage = tensor.storage();
  const void* key = storage.unsafeGetStorageImpl();
  std::lock_guard lock(mutex_);
  auto [entry, isNew] = storages_.try_emplace(
      key, Entry{0, static_cast<int64_t>(storage.nbytes()), tensor.is_cpu(), storage.getWeakStorageImpl()});
  ++entry->second.holders;
  if (isNew) {
    (entry->second.onHost ? hostBytes_ : deviceBytes_) += entry->second.bytes;
    if (entry->second.onHost) hostDelta_ += entry->second.bytes;
  }
  return key;
}

void Ledger::remove(const void* storage) {
  if (storage == nullptr) return;
  std::lock_guard lock(mutex_);
  auto entry = storages_.find(storage);
  if (entry == storages_.end() || --entry->second.holders > 0) return;
  (entry->second.onHost ? hostBytes_ : deviceBytes_) -= entry->second.bytes;
  if (entry->second.onHost) hostDelta_ -= entry->second.bytes;
  storages_.erase(entry);
}

}  // namespace cxr
