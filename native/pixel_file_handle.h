// Files of prepared pixels as JavaScript holds them.
#pragma once

#include <memory>

#include "image/pixel_file.h"
#include "runtime/napi.h"

namespace cxr {

/// An open file of prepared pixels; jobs that still read from it keep it open after `close`.
class PixelFileHandle : public Napi::ObjectWrap<PixelFileHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit PixelFileHandle(const Napi::CallbackInfo& info);

  static bool is(const Napi::Value& value);
  /// Throws `ERR_DISPOSED` where it has been closed.
  static std::shared_ptr<const image::PixelFile> fileOf(const Napi::Value& value);

 private:
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<const image::PixelFile> file_;
};

}  // namespace cxr
