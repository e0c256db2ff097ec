// From the exception in flight to a Failure with a code of lib/errors.ts.
#pragma once

#include <memory>
#include <string>

#include "runtime/error.h"
#include "tensor/registry.h"

namespace cxr {

/// What a job needs to know of the call that made it.
struct Call {
  std::string operation;
  bool grad = true;
  std::string autocast;     ///< "", "bfloat16" or "float16"
  std::string scope;        ///< the tidy scopes around the call, outermost first
  std::string requestedAt;  ///< the JavaScript stack, when tracing is on
};

/// Call inside a catch block. When the last holder of the failure goes and nobody has seen it, it is reported as lost.
FailurePtr currentFailure(const Call& call, const Tensors& inputs, const std::shared_ptr<LostFailures>& lost);

/// The same for work on the JavaScript thread: call inside a catch block and throw the result.
Error currentError(const std::string& operation);

/// "float32[2,3,224,224]", with the device where it is not the CPU.
std::string describeTensor(const at::Tensor& tensor);
std::string dtypeName(at::ScalarType type);
at::ScalarType parseDtype(const std::string& name);
/// `cpu`, `cuda` or `cuda:N`; throws ERR_INVALID_DEVICE for anything else and for a device that is not there.
at::Device parseDevice(const std::string& name);

}  // namespace cxr
