// A tensor that the lane has filled, will fill, or has failed to fill.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "tensor/failure.h"
#include "tensor/ledger.h"

namespace cxr {

class Cell {
 public:
  explicit Cell(std::shared_ptr<Ledger> ledger) : ledger_(std::move(ledger)) {}
  ~Cell() { ledger_->remove(storage_); }
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  void fill(at::Tensor value) {
    std::lock_guard lock(mutex_);
    const void* storage = ledger_->add(value);
    ledger_->remove(storage_);
    storage_ = storage;
    value_ = std::move(value);
  }
  void fail(FailurePtr failure) {
    std::lock_guard lock(mutex_);
    ledger_->remove(storage_);
    storage_ = nullptr;
    value_ = at::Tensor();
    failure_ = std::move(failure);
  }
  /// Undefined while pending and after a failure.
  at::Tensor value() const {
    std::lock_guard lock(mutex_);
    return value_;
  }
  FailurePtr failure() const {
    std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<Ledger> ledger_;
  at::Tensor value_;
  FailurePtr failure_;
  const void* storage_ = nullptr;
};

using CellPtr = std::shared_ptr<Cell>;

}  // namespace cxr
