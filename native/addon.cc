// What JavaScript sees of the addon, on one screen.
#include "cam/cam.h"
#include "data_environment.h"
#include "data_exports.h"
#include "image/normalize.h"
#include "io/tensor_file.h"
#include "loss/losses.h"
#include "nn/gaze_teacher.h"
#include "nn/model_handle.h"
#include "nn/network_operations.h"
#include "nn/pvt.h"
#include "nn/resnet.h"
#include "nn/unet.h"
#include "nn/vgg.h"
#include "optim/optimizer_handle.h"
#include "tensor/build_info.h"
#include "runtime/guard.h"
#include "runtime/host_memory.h"
#include "tensor/operations.h"
#include "tensor/tensor_handle.h"

namespace cxr {
namespace {

std::shared_ptr<const Registry> operations() {
  auto registry = std::make_shared<Registry>();
  registerArithmetic(*registry);
  registerComparison(*registry);
  registerReductions(*registry);
  registerShapes(*registry);
  registerIndexing(*registry);
  registerLinear(*registry);
  registerCreation(*registry);
  registerAutograd(*registry);
  registerReading(*registry);
  registerTensorFiles(*registry);
  registerLosses(*registry);
  registerCam(*registry);
  registerImageOps(*registry);
  return registry;
}

std::shared_ptr<const NetworkRegistry> networks() {
  auto registry = std::make_shared<NetworkRegistry>();
  registerResNets(*registry);
  registerGazeTeachers(*registry);
  registerVgg(*registry);
  registerPvts(*registry);
  registerUnet(*registry);
  registerNetworkOperations(*registry);
  registerCam(*registry);
  return registry;
}

// setCallbacks(makeError, onLost)
Napi::Value setCallbacks(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).setCallbacks(info[0].As<Napi::Function>(), info[1].As<Napi::Function>());
  return info.Env().Undefined();
}

// close(): called at the process's end, because Node runs no clean-up hooks on process.exit()
Napi::Value close(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).close();
  DataEnvironment::of(info.Env()).close();
  return info.Env().Undefined();
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  installHostMemory();
  env.SetInstanceData(std::make_unique<Environment>(env).release());
  exports.Set("setCallbacks", Napi::Function::New<guarded<setCallbacks>>(env, "setCallbacks"));
  exports.Set("close", Napi::Function::New<guarded<close>>(env, "close"));
  exports.Set("buildInfo", Napi::Function::New<guarded<buildInfo>>(env, "buildInfo"));
  defineTensorExports(env, exports, operations());
  defineModelExports(env, exports, networks());
  defineOptimizerExports(env, exports);
  defineDataExports(env, exports);
  return exports;
}

}  // namespace
}  // namespace cxr

Napi::Object InitializeAddon(Napi::Env env, Napi::Object exports) { return cxr::initialize(env, exports); }
NODE_API_MODULE(cxr_gaze, InitializeAddon)
