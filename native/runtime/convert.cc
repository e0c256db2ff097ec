#include "runtime/convert.h"

namespace cxr {
namespace {

Option toOption(const std::string& name, const Napi::Value& value) {
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  if (value.IsNumber()) return value.As<Napi::Number>().DoubleValue();
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  if (!value.IsArray()) {
    throw invalidArgument("Expected a boolean, number, string or array of these for " + name);
  }
  auto array = value.As<Napi::Array>();
  const uint32_t length = array.Length();
  if (length > 0 && array.Get(uint32_t{0}).IsString()) {
    std::vector<std::string> texts;
    for (uint32_t i = 0; i < length; ++i) {
      Napi::Value item = array.Get(i);
      if (!item.IsString()) throw invalidArgument("Expected only strings in " + name);
      texts.push_back(item.As<Napi::String>().Utf8Value());
    }
    return texts;
  }
  std::vector<double> numbers;
  for (uint32_t i = 0; i < length; ++i) {
    Napi::Value item = array.Get(i);
    if (!item.IsNumber()) throw invalidArgument("Expected only numbers in " + name);
    numbers.push_back(item.As<Napi::Number>().DoubleValue());
  }
  return numbers;
}

}  // namespace

Options toOptions(const Napi::Value& value) {
  Options options;
  if (value.IsUndefined() || value.IsNull()) return options;
  if (!value.IsObject()) throw invalidArgument("Expected an object for options");
  auto object = value.As<Napi::Object>();
  auto names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).As<Napi::String>().Utf8Value();
    Napi::Value member = object.Get(name);
    if (!member.IsUndefined()) options.set(name, toOption(name, member));
  }
  return options;
}

}  // namespace cxr
