#include "tensor/failure.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>

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
  if (mentions(text, {"scalar type", "dtype", "ScalarType", "bias type (", "expected floating", "Float did not match",
                      "not implemented for '", "BoolTensor", "LongTensor", "can't be cast", "not supported on"})) {
    return "ERR_INVALID_DTYPE";
  }
  // Before the shapes, whose words are commoner.
  if (mentions(text, {"does not require grad", "backward through the graph a second time", "modified by an inplace",
                      "leaf Variable", "leaf variables", "not have been used in the graph", "undefined Tensor",
                      "cannot be converted", "without overflow"})) {
    return "ERR_INVALID_ARGUMENT";
  }
  if (mentions(text, {"shape", "size", "dimension", "Dimension", "broadcast", "out of bounds", "out of range",
                      "only for scalar outputs", "repeated dim", "multiple times", "duplicate", "number of dim",
                      "reduction dim", "numel()", "start_dim", "rank 4"})) {
    return "ERR_INVALID_SHAPE";
  }
  return "ERR_NATIVE";
}

std::string describeInputs(const Tensors& inputs) {
  std::ostringstream text;
  for (size_t i = 0; i < inputs.size(); ++i) text << (i == 0 ? "" : ", ") << describeTensor(inputs[i]);
  return text.str();
}

struct Reason {
  std::string code, text, nativeStack;
};

// Of the exception in flight.
Reason currentReason() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what(), ""};
  } catch (const c10::OutOfMemoryError& error) {
    return {"ERR_OUT_OF_MEMORY", error.what_without_backtrace(), error.what()};
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    return {codeOf(text), text, error.what()};
  } catch (const std::bad_alloc&) {
    return {"ERR_OUT_OF_MEMORY", "host memory could not be had", ""};
  } catch (const std::exception& error) {
    return {codeOf(error.what()), error.what(), ""};
  } catch (...) {
    return {"ERR_NATIVE", "an exception of unknown type", ""};
  }
}

FailurePtr reporting(std::unique_ptr<Failure> failure, std::weak_ptr<LostFailures> lost) {
  return FailurePtr(failure.release(), [lost = std::move(lost)](Failure* last) {
    FailurePtr owned(last);
    auto listener = lost.lock();
    if (listener && !owned->observed) listener->report(std::move(owned));
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

at::Device parseDevice(const std::string& name) {
  const bool known = name == "cpu" || name == "cuda" ||
                     (name.starts_with("cuda:") && name.size() > 5 && name.size() < 8 &&
                      name.find_first_not_of("0123456789", 5) == std::string::npos);
  if (!known) {
    throw Error("ERR_INVALID_DEVICE", "Expected 'cpu', 'cuda' or 'cuda:N' for device but received '" + name + "'");
  }
  if (name == "cpu") return at::kCPU;
  const int count = at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
  const int index = name == "cuda" ? 0 : std::stoi(name.substr(5));
  if (index >= count) {
    throw Error("ERR_INVALID_DEVICE", "Expected a device that is there but received '" + name + "': LibTorch was built " +
                                          (CXR_GAZE_WITH_CUDA ? "with" : "without") + " CUDA and sees " +
                                          std::to_string(count) + " CUDA devices");
  }
  return name == "cuda" ? at::Device(at::kCUDA) : at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

Error currentError(const std::string& operation) {
  const Reason reason = currentReason();
  return Error(reason.code, operation + ": " + reason.text);
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

FailurePtr currentFailure(const Call& call, const Tensors& inputs, const std::shared_ptr<LostFailures>& lost) {
  auto failure = std::make_unique<Failure>();
  Reason reason = currentReason();
  failure->code = std::move(reason.code);
  failure->nativeStack = std::move(reason.nativeStack);
  failure->operation = call.operation;
  failure->message = call.operation + ": " + reason.text;
  if (!inputs.empty()) failure->message += " (inputs: " + describeInputs(inputs) + ")";
  failure->requestedAt = call.requestedAt;
  failure->scope = call.scope;
  return reporting(std::move(failure), lost);
}

}  // namespace cxr
