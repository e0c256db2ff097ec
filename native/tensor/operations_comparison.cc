#include <ATen/ATen.h>

#include "tensor/operations.h"

namespace cxr {
namespace {

using WithTensor = at::Tensor (*)(const at::Tensor&, const at::Tensor&);
using WithScalar = at::Tensor (*)(const at::Tensor&, const at::Scalar&);

std::function<Kernel(const Options&)> compare(WithTensor withTensor, WithScalar withScalar) {
  return [=](const Options& options) -> Kernel {
    if (options.has("other")) {
      const at::Scalar other = toScalar(options.number("other"));
      return [=](const Tensors& in) -> Tensors { return {withScalar(in[0], other)}; };
    }
    return [=](const Tensors& in) -> Tensors {
      if (in.size() < 2) throw invalidArgument("Expected a tensor or a number as second operand");
      return {withTensor(in[0], in[1])};
    };
  };
}

}  // namespace

void registerComparison(Registry& registry) {
  registry.add("eq", 1, 2, compare(at::eq, at::eq));
  registry.add("ne", 1, 2, compare(at::ne, at::ne));
  registry.add("lt", 1, 2, compare(at::lt, at::lt));
  registry.add("le", 1, 2, compare(at::le, at::le));
  registry.add("gt", 1, 2, compare(at::gt, at::gt));
  registry.add("ge", 1, 2, compare(at::ge, at::ge));
  registry.add("logicalAnd", 2, 2, [](const Options&) -> Kernel {
    return [](const Tensors& in) -> Tensors { return {at::logical_and(in[0], in[1])}; };
  });
  registry.add("logicalOr", 2, 2, [](const Options&) -> Kernel {
    return [](const Tensors& in) -> Tensors { return {at::logical_or(in[0], in[1])}; };
  });
  registry.add("logicalNot", 1, 1, unary(at::logical_not));
  registry.add("isfinite", 1, 1, unary(at::isfinite));
  registry.add("isnan", 1, 1, unary(at::isnan));
  registry.add("where", 3, 3, [](const Options&) -> Kernel {
    return [](const Tensors& in) -> Tensors { return {at::where(in[0], in[1], in[2])}; };
  });
}

}  // namespace cxr
