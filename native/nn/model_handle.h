// The edge of networks: a JavaScript object that holds a network which the lane has built or will build.
#pragma once

#include <memory>
#include <mutex>

#include "nn/network.h"
#include "tensor/tensor_handle.h"

namespace cxr {

/// A network that the lane fills in; touched by jobs only, except for the failure.
struct ModelCell {
  std::shared_ptr<Network> network;
  FailurePtr failure;
};

class ModelHandle : public Napi::ObjectWrap<ModelHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ModelHandle(const Napi::CallbackInfo& info);
  ~ModelHandle() override;
  static std::shared_ptr<ModelCell> modelOf(const Napi::Value& value);
  std::shared_ptr<ModelCell> release() { return std::move(model_); }

 private:
  std::shared_ptr<ModelCell> model_;
  std::shared_ptr<Lane::Queue> queue_;
};

void defineModelExports(Napi::Env env, Napi::Object exports, std::shared_ptr<const NetworkRegistry> registry);

}  // namespace cxr
