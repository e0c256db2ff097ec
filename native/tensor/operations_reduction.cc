#include <ATen/ATen.h>

#include <numeric>

#include "tensor/operations.h"

namespace cxr {
namespace {

struct Axes {
  std::vector<int64_t> dims;  ///< empty means all
  bool keepdim = false;
};

Axes axesOf(const Options& options) {
  Axes axes;
  if (options.has("dim")) axes.dims = options.integers("dim");
  axes.keepdim = options.flag("keepdim");
  return axes;
}

std::function<Kernel(const Options&)> reduce(std::function<at::Tensor(const at::Tensor&, const Axes&)> function) {
  return [function](const Options& options) -> Kernel {
    const Axes axes = axesOf(options);
    return [function, axes](const Tensors& in) -> Tensors { return {function(in[0], axes)}; };
  };
}

at::OptionalIntArrayRef optionalDims(const Axes& axes) {
  return axes.dims.empty() ? at::OptionalIntArrayRef() : at::OptionalIntArrayRef(axes.dims);
}

int64_t only(const Axes& axes, const char* operation) {
  if (axes.dims.size() == 1) return axes.dims[0];
  throw invalidArgument(std::string("Expected exactly one dim for ") + operation);
}

at::Tensor variance(const at::Tensor& x, const Axes& axes, bool root, int64_t correction) {
  return root ? at::std(x, optionalDims(axes), at::Scalar(correction), axes.keepdim)
              : at::var(x, optionalDims(axes), at::Scalar(correction), axes.keepdim);
}

}  // namespace

void registerReductions(Registry& registry) {
  registry.add("sum", 1, 1, reduce([](const at::Tensor& x, const Axes& axes) {
    return at::sum(x, optionalDims(axes), axes.keepdim);
  }));
  registry.add("mean", 1, 1, reduce([](const at::Tensor& x, const Axes& axes) {
    return at::mean(x, optionalDims(axes), axes.keepdim);
  }));
  registry.add("amax", 1, 1, reduce([](const at::Tensor& x, const Axes& axes) {
    return at::amax(x, axes.dims, axes.keepdim);
  }));
  registry.add("amin", 1, 1, reduce([](const at::Tensor& x, const Axes& axes) {
    return at::amin(x, axes.dims, axes.keepdim);
  }));
  registry.add("argmax", 1, 1, reduce([](const at::Tensor& x, const Axes& axes) {
    const auto dim = axes.dims.empty() ? std::nullopt : std::make_optional(only(axes, "argmax"));
    return at::argmax(x, dim, axes.keepdim);
  }));
  registry.add("cumsum", 1, 1, reduce([](const at::Tensor& x, const Axes& axes) {
    return at::cumsum(x, only(axes, "cumsum"));
  }));
  registry.add("all", 1, 1, reduce([](const at::Tensor& x, const Axes& axes) {
    return at::all(x, optionalDims(axes), axes.keepdim);
  }));
  registry.add("any", 1, 1, reduce([](const at::Tensor& x, const Axes& axes) {
    return at::any(x, optionalDims(axes), axes.keepdim);
  }));
  for (const bool root : {false, true}) {
    registry.add(root ? "std" : "var", 1, 1, [root](const Options& options) -> Kernel {
      const Axes axes = axesOf(options);
      const int64_t correction = options.integer("correction", 1);
      return [=](const Tensors& in) -> Tensors { return {variance(in[0], axes, root, correction)}; };
    });
  }
  registry.add("norm", 1, 1, [](const Options& options) -> Kernel {
    const Axes axes = axesOf(options);
    const double order = options.number("p", 2.0);
    if (!(order >= 0)) throw invalidArgument("Expected at least 0 for p but received " + std::to_string(order));
    return [=](const Tensors& in) -> Tensors { return {at::norm(in[0], order, axes.dims, axes.keepdim)}; };
  });
  registry.add("softmax", 1, 1, reduce([](const at::Tensor& x, const Axes& axes) {
    return at::softmax(x, only(axes, "softmax"));
  }));
  registry.add("logSoftmax", 1, 1, reduce([](const at::Tensor& x, const Axes& axes) {
    return at::log_softmax(x, only(axes, "logSoftmax"));
  }));
  registry.add("logsumexp", 1, 1, reduce([](const at::Tensor& x, const Axes& axes) {
    if (!axes.dims.empty()) return at::logsumexp(x, axes.dims, axes.keepdim);
    std::vector<int64_t> all(static_cast<size_t>(x.dim()));
    std::iota(all.begin(), all.end(), 0);  // an empty list would mean none here
    return at::logsumexp(x, all, axes.keepdim);
  }));
}

}  // namespace cxr
