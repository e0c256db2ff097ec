#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "nn/network.h"
#include "nn/network_operations.h"
#include "nn/resnet.h"
#include "optim/optimizer.h"
#include "test/check.h"

namespace cxr::test {
namespace {

std::shared_ptr<Network> smallNetwork() {
  NetworkRegistry registry;
  registerResNets(registry);
  Options options;
  options.set("classes", 3.0);
  options.set("head", std::string("bottleneck64"));
  return registry.architecture("resnet18")(options)();
}

OptimizerOptions rule(const std::string& kind) {
  Options options;
  options.set("kind", kind);
  options.set("learningRate", 0.01);
  options.set("momentum", 0.9);
  return OptimizerOptions::from(options);
}

const bool steps = add("training: steps of every rule, taps, moves, saved state", [] {
  for (const std::string kind : {"adam", "adamw", "sgd"}) {
    auto network = smallNetwork();
    NetworkRegistry registry;
    registerNetworkOperations(registry);
    Optimizer optimizer(rule(kind), network->parameters());
    const auto images = at::randn({2, 3, 32, 32});
    for (int i = 0; i < 2; ++i) {
      optimizer.zeroGrad();
      Taps taps({"layer4.1", "fc.0"});
      auto logits = network->forward(images, taps);
      torch::autograd::backward({logits.sum() + taps.at("layer4.1").mean()}, {});
      check(optimizer.clipGradients(1.0) > 0, "no gradient");
      optimizer.step();
      c10::GradMode::set_enabled(true);
      Options target;
      target.set("channelsLast", i == 0);
      registry.query("move").prepare(target)(*network, {});
      c10::GradMode::set_enabled(true);
    }
    Optimizer other(rule(kind), network->parameters());
    for (size_t i = 0; i < optimizer.size(); ++i) {
      const auto state = optimizer.state(i);
      check(!state.empty(), "no state");
      other.checkState(i, state);
      other.loadState(i, state);
    }
    c10::GradMode::set_enabled(true);
    for (const auto& item : stateOf(*network)) check(item.tensor.isfinite().all().item<bool>(), item.name);
  }
});

}  // namespace
}  // namespace cxr::test
