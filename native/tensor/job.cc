#include "tensor/job.h"

#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>

namespace cxr {
namespace {

/// The operands' tensors, or the first failure among them.
FailurePtr collect(const std::vector<CellPtr>& cells, Tensors& tensors) {
  tensors.reserve(cells.size());
  for (const auto& cell : cells) {
    if (!cell) {
      tensors.emplace_back();  // an optional operand that was not given
      continue;
    }
    if (auto failure = cell->failure()) return failure;
    tensors.push_back(cell->value());
  }
  return nullptr;
}

}  // namespace

CallGuard::CallGuard(const Call& call)
    : gradBefore_(c10::GradMode::is_enabled()), autocast_(!call.autocast.empty()) {
  c10::GradMode::set_enabled(call.grad);
  if (!autocast_) return;
  const auto type = parseDtype(call.autocast);
  for (auto device : {at::kCPU, at::kCUDA}) {
    at::autocast::set_autocast_enabled(device, true);
    at::autocast::set_autocast_dtype(device, type);
  }
}

CallGuard::~CallGuard() {
  c10::GradMode::set_enabled(gradBefore_);
  if (!autocast_) return;
  // The cache holds casts of weights; the next optimizer step would make it stale.
  at::autocast::clear_cache();
  for (auto device : {at::kCPU, at::kCUDA}) at::autocast::set_autocast_enabled(device, false);
}

TensorJob::TensorJob(Call call, std::vector<CellPtr> inputs, std::vector<CellPtr> outputs, Kernel work,
                     std::shared_ptr<LostFailures> lost, bool inPlace, Precondition precondition)
    : call_(std::move(call)),
      inputs_(std::move(inputs)),
      outputs_(std::move(outputs)),
      work_(std::move(work)),
      lost_(std::move(lost)),
      inPlace_(inPlace),
      precondition_(std::move(precondition)) {}

void TensorJob::run() noexcept {
  auto failWith = [&](const FailurePtr& failure) {
    for (auto& output : outputs_) output->fail(failure);
    if (inPlace_) inputs_.front()->fail(failure);
  };
  Tensors tensors;
  auto failure = collect(inputs_, tensors);
  if (!failure && precondition_) failure = precondition_();
  if (failure) return failWith(failure);
  try {
    CallGuard guard(call_);
    auto results = work_(tensors);
    if (results.size() < outputs_.size()) throw Error("ERR_NATIVE", "the operation gave too few results");
    for (size_t i = 0; i < outputs_.size(); ++i) outputs_[i]->fill(std::move(results[i]));
    if (inPlace_) inputs_.front()->refresh();
  } catch (...) {
    failWith(currentFailure(call_, tensors, lost_));
  }
}

QueryJob::QueryJob(Call call, std::vector<CellPtr> inputs, QueryKernel work, std::shared_ptr<LostFailures> lost,
                   Settle settle, Fail fail, Precondition precondition)
    : call_(std::move(call)),
      inputs_(std::move(inputs)),
      work_(std::move(work)),
      lost_(std::move(lost)),
      settle_(std::move(settle)),
      fail_(std::move(fail)),
      precondition_(std::move(precondition)) {}

void QueryJob::run() noexcept {
  Tensors tensors;
  auto failure = collect(inputs_, tensors);
  if (!failure && precondition_) failure = precondition_();
  if (failure) return fail_(failure);
  try {
    CallGuard guard(call_);
    Reply reply = work_(tensors);
    for (const auto& input : inputs_) {
      if (input) input->refresh();
    }
    settle_(std::move(reply));
  } catch (...) {
    fail_(currentFailure(call_, tensors, lost_));
  }
}

}  // namespace cxr
