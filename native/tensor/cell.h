// A tensor that the lane has filled, will fill, or has failed to fill.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "tensor/failure.h"
#include "tensor/ledger.h"

namespace cxr {

/// What JavaScript is told about a tensor without asking the lane. A copy, because the lane may change the tensor itself
/// while the JavaScript thread looks.
struct TensorMeta {
  at::ScalarType dtype;
  at::DimVector shape;
  at::Device device;
  bool requiresGrad;
};

class Cell {
 public:
  explicit Cell(std::shared_ptr<Ledger> ledger) : ledger_(std::move(ledger)) {}
  ~Cell() { ledger_->remove(storage_); }
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  void fill(at::Tensor value) {
    std::lock_guard lock(mutex_);
    value_ = std::move(value);
    note();
  }
  /// After the tensor has been changed in place: its type, gradient flag or storage may be others now.
  void refresh() {
    std::lock_guard lock(mutex_);
    if (value_.defined()) note();
  }
  void fail(FailurePtr failure) {
    at::Tensor dropped;  // destroyed after the lock
    std::lock_guard lock(mutex_);
    ledger_->remove(storage_);
    storage_ = nullptr;
    dropped = std::move(value_);
    meta_.reset();
    failure_ = std::move(failure);
  }
  /// Undefined while pending and after a failure.
  at::Tensor value() const {
    std::lock_guard lock(mutex_);
    return value_;
  }
  /// As of the last `fill` or `refresh`; none while pending and after a failure.
  std::optional<TensorMeta> meta() const {
    std::lock_guard lock(mutex_);
    return meta_;
  }
  FailurePtr failure() const {
    std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  void note() {
    const void* storage = ledger_->add(value_);
    ledger_->remove(storage_);
    storage_ = storage;
    meta_ = TensorMeta{value_.scalar_type(), at::DimVector(value_.sizes()), value_.device(), value_.requires_grad()};
  }

  mutable std::mutex mutex_;
  std::shared_ptr<Ledger> ledger_;
  at::Tensor value_;
  std::optional<TensorMeta> meta_;
  FailurePtr failure_;
  const void* storage_ = nullptr;
};

using CellPtr = std::shared_ptr<Cell>;

}  // namespace cxr
