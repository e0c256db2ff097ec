// The edge of tensors: JavaScript objects that hold cells, and the two ways to put work on the lane.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/guard.h"
#include "tensor/cell.h"
#include "tensor/job.h"
#include "tensor/registry.h"

namespace cxr {

/// What one environment needs to run tensor work.
class TensorEnvironment {
 public:
  TensorEnvironment(Napi::Env env, Napi::Object exports, std::shared_ptr<const Registry> registry);
  static TensorEnvironment& of(Napi::Env env);

  const Registry& registry() const { return *registry_; }
  const std::shared_ptr<Ledger>& ledger() const { return ledger_; }
  CellPtr makeCell() const { return std::make_shared<Cell>(ledger_); }
  Napi::Object wrap(Napi::Env env, CellPtr cell);
  /// Tells the garbage collector how much host memory tensors gained or lost.
  void reportMemory(Napi::Env env);

 private:
  std::shared_ptr<const Registry> registry_;
  std::shared_ptr<Ledger> ledger_;
  Napi::FunctionReference constructor_;
};

class TensorHandle : public Napi::ObjectWrap<TensorHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit TensorHandle(const Napi::CallbackInfo& info);
  ~TensorHandle() override;

  /// The cell behind a JavaScript value; throws for anything else and for a disposed handle.
  static CellPtr cellOf(const Napi::Value& value, const std::string& argument);
  /// Like `cellOf` for each item; null and undefined items become null cells.
  static std::vector<CellPtr> cellsOf(const Napi::Value& array);
  /// Closes the handle and gives its cell up; null when it was closed before.
  CellPtr release();

 private:
  Napi::Value meta(const Napi::CallbackInfo& info);

  CellPtr cell_;
  std::shared_ptr<Ledger> ledger_;
  std::shared_ptr<Lane::Queue> queue_;
};

/// The call's particulars from `{grad, autocast, scope, requestedAt}`.
Call toCall(const std::string& operation, const Napi::Value& context);
/// Queues a query and gives its promise.
Napi::Promise ask(Napi::Env env, Call call, std::vector<CellPtr> inputs, QueryKernel kernel,
                  Precondition precondition = nullptr);
/// Queues tensor work and gives the array of its results' handles.
Napi::Value enqueue(Napi::Env env, Call call, std::vector<CellPtr> inputs, size_t outputs, Kernel kernel,
                    bool inPlace = false, Precondition precondition = nullptr);
/// Releases native objects on the lane, in order with the work that may still use them, and from the garbage collector's
/// finalizers too: freeing much memory, or an autograd graph, is no work for the JavaScript thread.
void releaseOnLane(Lane::Queue& queue, std::vector<std::shared_ptr<void>> objects);

void defineTensorExports(Napi::Env env, Napi::Object exports, std::shared_ptr<const Registry> registry);

}  // namespace cxr
