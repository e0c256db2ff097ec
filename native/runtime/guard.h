// The one crossing pattern: every N-API entry is wrapped by `guarded`, so no C++ exception ever leaves the addon.
#pragma once

#include "runtime/environment.h"

namespace cxr {

template <Napi::Value (*Entry)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  try {
    return Entry(info);
  } catch (const Napi::Error&) {
    throw;  // already a JavaScript error
  } catch (const Error& error) {
    auto value = Environment::of(env).makeError(env, error.code(), error.what());
    napi_throw(env, value);
  } catch (const std::bad_alloc&) {
    auto value = Environment::of(env).makeError(env, "ERR_OUT_OF_MEMORY", "Host memory could not be had");
    napi_throw(env, value);
  } catch (const std::exception& error) {
    auto value = Environment::of(env).makeError(env, "ERR_NATIVE", error.what());
    napi_throw(env, value);
  }
  return env.Undefined();
}

}  // namespace cxr
