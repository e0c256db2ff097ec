#include <ATen/ATen.h>

#include "tensor/failure.h"
#include "tensor/operations.h"

namespace cxr {
namespace {

std::function<Kernel(const Options&)> withShape(
    std::function<at::Tensor(const at::Tensor&, const std::vector<int64_t>&)> function, const char* option) {
  return [function, option](const Options& options) -> Kernel {
    const auto shape = options.integers(option);
    return [function, shape](const Tensors& in) -> Tensors { return {function(in[0], shape)}; };
  };
}

at::MemoryFormat memoryFormat(const std::string& name) {
  if (name == "contiguous") return at::MemoryFormat::Contiguous;
  if (name == "channelsLast") return at::MemoryFormat::ChannelsLast;
  throw invalidArgument("Expected 'contiguous' or 'channelsLast' for memoryFormat but received '" + name + "'");
}

Kernel convert(const Options& options) {
  std::optional<at::ScalarType> dtype;
  std::optional<at::Device> device;
  std::optional<at::MemoryFormat> format;
  if (options.has("dtype")) dtype = parseDtype(options.text("dtype"));
  if (options.has("device")) device = parseDevice(options.text("device"));
  if (options.has("memoryFormat")) format = memoryFormat(options.text("memoryFormat"));
  return [=](const Tensors& in) -> Tensors {
    auto result = in[0].to(device.value_or(in[0].device()), dtype.value_or(in[0].scalar_type()));
    return {format ? result.contiguous(*format) : result};
  };
}

}  // namespace

void registerShapes(Registry& registry) {
  registry.add("reshape", 1, 1, withShape([](const at::Tensor& x, const auto& s) { return x.reshape(s); }, "shape"));
  registry.add("expand", 1, 1, withShape([](const at::Tensor& x, const auto& s) { return x.expand(s); }, "shape"));
  registry.add("permute", 1, 1, withShape([](const at::Tensor& x, const auto& d) { return x.permute(d); }, "dims"));
  registry.add("flip", 1, 1, withShape([](const at::Tensor& x, const auto& d) { return x.flip(d); }, "dims"));
  registry.add("transpose", 1, 1, [](const Options& options) -> Kernel {
    const int64_t first = options.integer("dim0"), second = options.integer("dim1");
    return [=](const Tensors& in) -> Tensors { return {in[0].transpose(first, second)}; };
  });
  registry.add("unsqueeze", 1, 1, [](const Options& options) -> Kernel {
    const int64_t dim = options.integer("dim");
    return [=](const Tensors& in) -> Tensors { return {in[0].unsqueeze(dim)}; };
  });
  registry.add("squeeze", 1, 1, [](const Options& options) -> Kernel {
    if (!options.has("dim")) return [](const Tensors& in) -> Tensors { return {in[0].squeeze()}; };
    const int64_t dim = options.integer("dim");
    return [=](const Tensors& in) -> Tensors { return {in[0].squeeze(dim)}; };
  });
  registry.add("flatten", 1, 1, [](const Options& options) -> Kernel {
    const int64_t start = options.integer("startDim", 0), end = options.integer("endDim", -1);
    return [=](const Tensors& in) -> Tensors { return {in[0].flatten(start, end)}; };
  });
  registry.add("cat", 1, Registry::kAnyNumber, [](const Options& options) -> Kernel {
    const int64_t dim = options.integer("dim", 0);
    return [=](const Tensors& in) -> Tensors { return {at::cat(in, dim)}; };
  });
  registry.add("stack", 1, Registry::kAnyNumber, [](const Options& options) -> Kernel {
    const int64_t dim = options.integer("dim", 0);
    return [=](const Tensors& in) -> Tensors { return {at::stack(in, dim)}; };
  });
  registry.add("to", 1, 1, convert);
  registry.add("contiguous", 1, 1, [](const Options&) -> Kernel {
    return [](const Tensors& in) -> Tensors { return {in[0].contiguous()}; };
  });
  registry.add("clone", 1, 1, unary([](const at::Tensor& x) { return x.clone(); }));
}

}  // namespace cxr
