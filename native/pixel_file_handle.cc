#include "pixel_file_handle.h"

#include "runtime/error.h"

namespace cxr {
namespace {

constexpr napi_type_tag kPixelFileTag{0x6378722d67617a65, 0x706978656c663031};

}  // namespace

Napi::Function PixelFileHandle::define(Napi::Env env) {
  return DefineClass(env, "PixelFile", {InstanceMethod<&PixelFileHandle::close>("close")});
}

PixelFileHandle::PixelFileHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PixelFileHandle>(info) {
  if (info.Length() != 1 || !info[0].IsExternal()) {
    throw Napi::TypeError::New(info.Env(), "Pixel files are made by openPixelFile, not by `new`");
  }
  file_ = *info[0].As<Napi::External<std::shared_ptr<const image::PixelFile>>>().Data();
  info.This().As<Napi::Object>().TypeTag(&kPixelFileTag);
}

bool PixelFileHandle::is(const Napi::Value& value) {
  return value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kPixelFileTag);
}

std::shared_ptr<const image::PixelFile> PixelFileHandle::fileOf(const Napi::Value& value) {
  auto file = Unwrap(value.As<Napi::Object>())->file_;
  if (!file) throw Error("ERR_DISPOSED", "Expected an open prepared cache but it has been closed");
  return file;
}

Napi::Value PixelFileHandle::close(const Napi::CallbackInfo& info) {
  file_.reset();
  return info.Env().Undefined();
}

}  // namespace cxr
