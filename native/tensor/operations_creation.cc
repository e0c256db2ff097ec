#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "tensor/failure.h"
#include "tensor/operations.h"

namespace cxr {
namespace {

std::function<Kernel(const Options&)> create(
    std::function<at::Tensor(const std::vector<int64_t>&, at::TensorOptions, const Options&)> function) {
  return [function](const Options& options) -> Kernel {
    const auto shape = options.integers("shape");
    const auto tensorOptions =
        at::TensorOptions(parseDtype(options.text("dtype", "float32"))).device(parseDevice(options.text("device", "cpu")));
    return [=](const Tensors&) -> Tensors { return {function(shape, tensorOptions, options)}; };
  };
}

// A generator of its own: random tensors do not depend on what else ran on the lane.
at::Generator seeded(const Options& options) {
  return at::detail::createCPUGenerator(static_cast<uint64_t>(options.integer("seed")));
}

}  // namespace

void registerCreation(Registry& registry) {
  registry.add("full", 0, 0, create([](const auto& shape, at::TensorOptions o, const Options& options) {
    return at::full(shape, toScalar(options.number("value")), o);
  }));
  registry.add("randn", 0, 0, create([](const auto& shape, at::TensorOptions o, const Options& options) {
    return at::randn(shape, seeded(options), o.device(at::kCPU)).to(o.device());
  }));
  registry.add("rand", 0, 0, create([](const auto& shape, at::TensorOptions o, const Options& options) {
    return at::rand(shape, seeded(options), o.device(at::kCPU)).to(o.device());
  }));
  registry.add("arange", 0, 0, [](const Options& options) -> Kernel {
    const auto start = toScalar(options.number("start", 0)), end = toScalar(options.number("end"));
    const auto step = toScalar(options.number("step", 1));
    const auto type = parseDtype(options.text("dtype", "int64"));
    return [=](const Tensors&) -> Tensors { return {at::arange(start, end, step, type)}; };
  });
}

}  // namespace cxr
