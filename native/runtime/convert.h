// From JavaScript values to plain C++ ones.
#pragma once

#include "runtime/napi.h"
#include "runtime/options.h"

namespace cxr {

/// A flat object of booleans, numbers, strings and arrays of numbers or strings; `undefined` members are left out.
Options toOptions(const Napi::Value& value);

}  // namespace cxr
