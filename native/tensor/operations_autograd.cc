#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "tensor/operations.h"

namespace cxr {
namespace {

QueryKernel backward(const Options& options) {
  const bool createGraph = options.flag("createGraph");
  const bool retainGraph = options.flag("retainGraph", createGraph);
  return [=](const Tensors& in) -> Reply {
    Tensors seeds;
    if (in.size() > 1) seeds.push_back(in[1]);
    torch::autograd::backward({in[0]}, seeds, retainGraph, createGraph);
    return {};
  };
}

// The last `count` inputs are differentiated by; the first is the output; a seed may stand between.
Kernel gradients(const Options& options) {
  const auto count = static_cast<size_t>(options.integer("count"));
  const bool createGraph = options.flag("createGraph");
  const bool retainGraph = options.flag("retainGraph", createGraph);
  const bool allowUnused = options.flag("allowUnused");
  return [=](const Tensors& in) -> Tensors {
    Tensors wrt(in.end() - static_cast<ptrdiff_t>(count), in.end());
    Tensors seeds;
    if (in.size() == count + 2) seeds.push_back(in[1]);
    auto result = torch::autograd::grad({in[0]}, wrt, seeds, retainGraph, createGraph, allowUnused);
    for (size_t i = 0; i < result.size(); ++i) {
      if (!result[i].defined()) result[i] = at::zeros_like(wrt[i]);
    }
    return result;
  };
}

}  // namespace

void registerAutograd(Registry& registry) {
  registry.addQuery("backward", 1, 2, backward);
  registry.addVariable(
      "gradients", 2, Registry::kAnyNumber,
      [](size_t, const Options& options) { return static_cast<size_t>(options.integer("count")); }, gradients);
  registry.add("grad", 1, 1, [](const Options&) -> Kernel {
    return [](const Tensors& in) -> Tensors {
      if (!in[0].grad().defined()) throw invalidArgument("Expected a tensor with a gradient: run backward() first");
      return {in[0].grad()};
    };
  });
  registry.addInPlace("requiresGrad_", 1, 1, [](const Options& options) -> Kernel {
    const bool value = options.flag("value", true);
    return [=](const Tensors& in) -> Tensors {
      in[0].requires_grad_(value);
      return {};
    };
  });
  registry.addInPlace("zeroGrad_", 1, 1, [](const Options&) -> Kernel {
    return [](const Tensors& in) -> Tensors {
      at::Tensor self = in[0];
      self.mutable_grad() = at::Tensor();
      return {};
    };
  });
  registry.add("detach", 1, 1, [](const Options&) -> Kernel {
    return [](const Tensors& in) -> Tensors { return {in[0].detach()}; };
  });
}

}  // namespace cxr
