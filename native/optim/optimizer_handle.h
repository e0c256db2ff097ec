// The edge of optimizers.
#pragma once

#include <memory>

#include "optim/optimizer.h"
#include "tensor/tensor_handle.h"

namespace cxr {

struct OptimizerCell {
  std::unique_ptr<Optimizer> optimizer;
  FailurePtr failure;
};

class OptimizerHandle : public Napi::ObjectWrap<OptimizerHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit OptimizerHandle(const Napi::CallbackInfo& info);
  ~OptimizerHandle() override;
  static std::shared_ptr<OptimizerCell> optimizerOf(const Napi::Value& value);
  std::shared_ptr<OptimizerCell> release() { return std::move(cell_); }

 private:
  std::shared_ptr<OptimizerCell> cell_;
  std::shared_ptr<Lane::Queue> queue_;
};

void defineOptimizerExports(Napi::Env env, Napi::Object exports);

}  // namespace cxr
