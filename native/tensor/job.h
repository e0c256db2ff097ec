// What a queued operation is: operands, kernel, results, and how errors flow through it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/lane.h"
#include "tensor/cell.h"
#include "tensor/registry.h"

namespace cxr {

/// The failure of something besides tensors that the work depends on, such as the model it runs; null if none.
using Precondition = std::function<FailurePtr()>;

/// Sets grad mode and autocast for one job and puts everything back after it.
class CallGuard {
 public:
  explicit CallGuard(const Call& call);
  ~CallGuard();
  CallGuard(const CallGuard&) = delete;
  CallGuard& operator=(const CallGuard&) = delete;

 private:
  bool gradBefore_;
  bool autocast_;
};

/// Fills `outputs` with the work's results. An operand that failed poisons them; so does an exception.
class TensorJob : public Job {
 public:
  TensorJob(Call call, std::vector<CellPtr> inputs, std::vector<CellPtr> outputs, Kernel work,
            std::shared_ptr<LostFailures> lost, bool inPlace, Precondition precondition = nullptr);
  void run() noexcept override;

 private:
  Call call_;
  std::vector<CellPtr> inputs_;
  std::vector<CellPtr> outputs_;
  Kernel work_;
  std::shared_ptr<LostFailures> lost_;
  bool inPlace_;
  Precondition precondition_;
};

/// Settles a promise with the work's reply.
class QueryJob : public Job {
 public:
  using Settle = std::function<void(Reply)>;
  using Fail = std::function<void(FailurePtr)>;
  QueryJob(Call call, std::vector<CellPtr> inputs, QueryKernel work, std::shared_ptr<LostFailures> lost,
           Settle settle, Fail fail, Precondition precondition = nullptr);
  void run() noexcept override;

 private:
  Call call_;
  std::vector<CellPtr> inputs_;
  QueryKernel work_;
  std::shared_ptr<LostFailures> lost_;
  Settle settle_;
  Fail fail_;
  Precondition precondition_;
};

}  // namespace cxr
