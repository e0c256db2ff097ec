#include "tensor/failure.h"

#include <array>
#include <new>
#include <sstream>

namespace cxr {
namespace {

struct DtypeName {
  at::ScalarType type;
  const char* name;
};
constexpr std::array<DtypeName, 10> kDtypes{{{at::kDouble, "float64"},
                                             {at::kFloat, "float32"},
                                             {at::kHalf, "float16"},
                                             {at::kBFloat16, "bfloat16"},
                                             {at::kLong, "int64"},
                                             {at::kInt, "int32"},
                                             {at::kShort, "int16"},
                                             {at::kChar, "int8"},
                                             {at::kByte, "uint8"},
                                             {at::kBool, "bool"}}};

bool mentions(const std::string& text, std::initializer_list<const char*> words) {
  for (const char* word : words) {
    if (text.find(word) != std::string::npos) return true;
  }
  return false;
}

// LibTorch has few exception classes, so the kind is read off the text.
std::string codeOf(const std::string& text) {
  if (mentions(text, {"out of memory", "can't allocate memory", "not enough memory"})) return "ERR_OUT_OF_MEMORY";
  if (mentions(text, {"on the same device", "Expected all tensors", "CUDA", "device type"})) return "ERR_INVALID_DEVICE";
  if (mentions(text, {"scalar type", "dtype", "ScalarType", "expected floating", "Float did not match"})) {
    return "ERR_INVALID_DTYPE";
  }
  if (mentions(text, {"shape", "size", "dimension", "Dimension", "broadcast", "out of bounds", "out of range"})) {
    return "ERR_INVALID_SHAPE";
  }
  return "ERR_NATIVE";
}

std::string describeInputs(const Tensors& inputs) {
  std::ostringstream text;
  for (size_t i = 0; i < inputs.size(); ++i) text << (i == 0 ? "" : ", ") << describeTensor(inputs[i]);
  return text.str();
}

FailurePtr reporting(std::unique_ptr<Failure> failure, std::weak_ptr<Mailbox> mailbox) {
  return FailurePtr(failure.release(), [mailbox = std::move(mailbox)](Failure* last) {
    FailurePtr owned(last);
    auto box = mailbox.lock();
    if (box && !owned->observed) Environment::reportLost(*box, std::move(owned));
  });
}

}  // namespace

std::string dtypeName(at::ScalarType type) {
  for (const auto& entry : kDtypes) {
    if (entry.type == type) return entry.name;
  }
  return at::toString(type);
}

at::ScalarType parseDtype(const std::string& name) {
  for (const auto& entry : kDtypes) {
    if (name == entry.name) return entry.type;
  }
  throw Error("ERR_INVALID_DTYPE", "Expected a known dtype but received '" + name + "'");
}

std::string describeTensor(const at::Tensor& tensor) {
  if (!tensor.defined()) return "none";
  std::ostringstream text;
  text << dtypeName(tensor.scalar_type()) << "[";
  for (int64_t i = 0; i < tensor.dim(); ++i) text << (i == 0 ? "" : ",") << tensor.size(i);
  text << "]";
  if (!tensor.is_cpu()) text << "@" << tensor.device().str();
  return text.str();
}

FailurePtr currentFailure(const Call& call, const Tensors& inputs, const std::shared_ptr<Mailbox>& mailbox) {
  auto failure = std::make_unique<Failure>();
  std::string text;
  try {
    throw;
  } catch (const Error& error) {
    failure->code = error.code();
    text = error.what();
  } catch (const c10::OutOfMemoryError& error) {
    failure->code = "ERR_OUT_OF_MEMORY";
    text = error.what_without_backtrace();
  } catch (const c10::Error& error) {
    text = error.what_without_backtrace();
    failure->code = codeOf(text);
    failure->nativeStack = error.what();
  } catch (const std::bad_alloc&) {
    failure->code = "ERR_OUT_OF_MEMORY";
    text = "host memory could not be had";
  } catch (const std::exception& error) {
    text = error.what();
    failure->code = codeOf(text);
  } catch (...) {
    text = "an exception of unknown type";
    failure->code = "ERR_NATIVE";
  }
  failure->operation = call.operation;
  failure->message = call.operation + ": " + text;
  if (!inputs.empty()) failure->message += " (inputs: " + describeInputs(inputs) + ")";
  failure->requestedAt = call.requestedAt;
  failure->scope = call.scope;
  return reporting(std::move(failure), mailbox);
}

}  // namespace cxr
