#include <ATen/Context.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include "tensor/build_info.h"

namespace cxr {

Napi::Value buildInfo(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto result = Napi::Object::New(env);
  result.Set("libtorch", TORCH_VERSION);
  result.Set("compiler", __VERSION__);
  result.Set("napi", Napi::Number::New(env, NAPI_VERSION));
  result.Set("cudaBuilt", Napi::Boolean::New(env, CXR_GAZE_WITH_CUDA != 0));
  result.Set("cudaVisible", Napi::Boolean::New(env, at::hasCUDA() && at::getNumGPUs() > 0));
  result.Set("cpuCapability", at::get_cpu_capability());
  return result;
}

}  // namespace cxr
