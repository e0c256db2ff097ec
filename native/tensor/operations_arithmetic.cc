#include <ATen/ATen.h>
#include <ATen/ScalarOps.h>

#include "tensor/operations.h"

namespace cxr {
namespace {

using Binary = at::Tensor (*)(const at::Tensor&, const at::Tensor&);

// A wrapped number takes part in type promotion as PyTorch's Python scalars do.
at::Tensor wrapped(const at::Scalar& number) {
  at::Tensor tensor = c10::scalar_to_tensor(number);
  tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
  return tensor;
}

// `other` is the second tensor, or the number of that name.
std::function<Kernel(const Options&)> binary(Binary function) {
  return [function](const Options& options) -> Kernel {
    if (!options.has("other")) {
      return [function](const Tensors& in) -> Tensors {
        if (in.size() < 2) throw invalidArgument("Expected a tensor or a number as second operand");
        return {function(in[0], in[1])};
      };
    }
    const at::Scalar other = toScalar(options.number("other"));
    return [function, other](const Tensors& in) -> Tensors { return {function(in[0], wrapped(other))}; };
  };
}

at::Tensor add(const at::Tensor& a, const at::Tensor& b) { return at::add(a, b); }
at::Tensor sub(const at::Tensor& a, const at::Tensor& b) { return at::sub(a, b); }
at::Tensor mul(const at::Tensor& a, const at::Tensor& b) { return at::mul(a, b); }
at::Tensor div(const at::Tensor& a, const at::Tensor& b) { return at::div(a, b); }
at::Tensor pow(const at::Tensor& a, const at::Tensor& b) { return at::pow(a, b); }
at::Tensor relu(const at::Tensor& a) { return at::relu(a); }
at::Tensor gelu(const at::Tensor& a) { return at::gelu(a); }

using InPlace = at::Tensor& (*)(at::Tensor&, const at::Tensor&);
at::Tensor& add_(at::Tensor& a, const at::Tensor& b) { return a.add_(b); }
at::Tensor& sub_(at::Tensor& a, const at::Tensor& b) { return a.sub_(b); }
at::Tensor& mul_(at::Tensor& a, const at::Tensor& b) { return a.mul_(b); }
at::Tensor& div_(at::Tensor& a, const at::Tensor& b) { return a.div_(b); }
at::Tensor& copy_(at::Tensor& a, const at::Tensor& b) { return a.copy_(b); }

std::function<Kernel(const Options&)> inPlace(InPlace function) {
  return [function](const Options& options) -> Kernel {
    const bool isNumber = options.has("other");
    const at::Scalar other = isNumber ? toScalar(options.number("other")) : at::Scalar();
    return [function, isNumber, other](const Tensors& in) -> Tensors {
      if (!isNumber && in.size() < 2) throw invalidArgument("Expected a tensor or a number as second operand");
      at::Tensor self = in[0];
      function(self, isNumber ? wrapped(other) : in[1]);
      return {};
    };
  };
}

}  // namespace

void registerArithmetic(Registry& registry) {
  registry.add("add", 1, 2, binary(add));
  registry.add("sub", 1, 2, binary(sub));
  registry.add("mul", 1, 2, binary(mul));
  registry.add("div", 1, 2, binary(div));
  registry.add("pow", 1, 2, binary(pow));
  registry.add("maximum", 1, 2, binary(static_cast<Binary>(at::maximum)));
  registry.add("minimum", 1, 2, binary(static_cast<Binary>(at::minimum)));
  registry.addInPlace("add_", 1, 2, inPlace(add_));
  registry.addInPlace("sub_", 1, 2, inPlace(sub_));
  registry.addInPlace("mul_", 1, 2, inPlace(mul_));
  registry.addInPlace("div_", 1, 2, inPlace(div_));
  registry.addInPlace("copy_", 2, 2, inPlace(copy_));

  registry.add("neg", 1, 1, unary(at::neg));
  registry.add("abs", 1, 1, unary(at::abs));
  registry.add("exp", 1, 1, unary(at::exp));
  registry.add("log", 1, 1, unary(at::log));
  registry.add("log1p", 1, 1, unary(at::log1p));
  registry.add("sqrt", 1, 1, unary(at::sqrt));
  registry.add("square", 1, 1, unary(at::square));
  registry.add("reciprocal", 1, 1, unary(at::reciprocal));
  registry.add("sigmoid", 1, 1, unary(at::sigmoid));
  registry.add("tanh", 1, 1, unary(at::tanh));
  registry.add("relu", 1, 1, unary(relu));
  registry.add("gelu", 1, 1, unary(gelu));
  registry.add("floor", 1, 1, unary(at::floor));
  registry.add("round", 1, 1, unary(at::round));
  registry.add("sign", 1, 1, unary(at::sign));
  registry.add("clamp", 1, 1, [](const Options& options) -> Kernel {
    std::optional<at::Scalar> least, most;
    if (options.has("min")) least = toScalar(options.number("min"));
    if (options.has("max")) most = toScalar(options.number("max"));
    if (!least && !most) throw invalidArgument("Expected min or max for clamp");
    return [least, most](const Tensors& in) -> Tensors { return {at::clamp(in[0], least, most)}; };
  });
}

}  // namespace cxr
