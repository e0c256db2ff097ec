#include "nn/network_operations.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <optional>
#include <set>

#include "nn/batch_norm.h"
#include "nn/eval_mode.h"
#include "tensor/failure.h"

namespace cxr {
namespace {

// Results: the logits, then the wanted taps in the order asked for. With `evaluation` the job carries its own mode: a
// prediction in the midst of training neither sees nor changes the mode that training has set.
NetworkKernel forward(const Options& options) {
  const auto wanted = options.has("taps") ? options.texts("taps") : std::vector<std::string>{};
  const bool evaluation = options.flag("evaluation", false);
  return [=](Network& network, const Tensors& in) -> Tensors {
    std::optional<EvalMode> mode;
    if (evaluation) mode.emplace(network);
    Taps taps(wanted);
    Tensors results{network.forward(in[0], taps)};
    for (const auto& name : wanted) results.push_back(taps.at(name));
    return results;
  };
}

void collect(const torch::nn::Module& module, const std::string& prefix, std::vector<NamedTensor>& state) {
  for (const auto& item : module.named_parameters(/*recurse=*/false)) {
    state.push_back({prefix + item.key(), item.value(), false});
  }
  for (const auto& item : module.named_buffers(/*recurse=*/false)) {
    state.push_back({prefix + item.key(), item.value(), true});
  }
  for (const auto& item : module.named_children()) collect(*item.value(), prefix + item.key() + ".", state);
}

// texts: name, then "parameter", "frozen" or "buffer", for each tensor in turn.
NetworkQueryKernel readState(const Options&) {
  return [](Network& network, const Tensors&) {
    Reply reply;
    for (auto& item : stateOf(network)) {
      reply.texts.push_back(item.name);
      reply.texts.push_back(item.isBuffer ? "buffer" : item.tensor.requires_grad() ? "parameter" : "frozen");
      // Parameters keep their identity, so that an optimizer given this handle moves the network's own weights.
      reply.tensors.push_back(item.tensor);
    }
    return reply;
  };
}

std::string mismatch(const NamedTensor& item, const at::Tensor& given) {
  return item.name + " (expected " + describeTensor(item.tensor) + ", found " + describeTensor(given) + ")";
}

// texts of the reply: "missing KEY", "unexpected KEY", "mismatched KEY (...)". Nothing is copied when a shape is wrong,
// or, with `strict`, when a key is missing or unexpected.
NetworkQueryKernel loadState(const Options& options) {
  const auto names = options.texts("names");
  const bool strict = options.flag("strict", true);
  return [=](Network& network, const Tensors& in) {
    if (names.size() != in.size()) throw invalidArgument("Expected one tensor a name");
    std::map<std::string, at::Tensor> given;
    for (size_t i = 0; i < names.size(); ++i) given.emplace(names[i], in[i]);
    Reply reply;
    auto state = stateOf(network);
    std::set<std::string> known;
    bool fits = true;
    for (const auto& item : state) {
      known.insert(item.name);
      auto found = given.find(item.name);
      // Files from before PyTorch 0.4.1 have no num_batches_tracked.
      const bool optional = item.name.ends_with("num_batches_tracked");
      if (found == given.end()) {
        if (!optional) reply.texts.push_back("missing " + item.name);
        fits = fits && (optional || !strict);
      } else if (found->second.sizes() != item.tensor.sizes()) {
        reply.texts.push_back("mismatched " + mismatch(item, found->second));
        fits = false;
      }
    }
    for (const auto& name : names) {
      if (known.count(name) != 0) continue;
      reply.texts.push_back("unexpected " + name);
      fits = fits && !strict;
    }
    reply.numbers = {fits ? 1.0 : 0.0};
    if (!fits) return reply;
    c10::GradMode::set_enabled(false);
    for (auto& item : state) {
      if (auto found = given.find(item.name); found != given.end()) item.tensor.copy_(found->second);
    }
    return reply;
  };
}

NetworkQueryKernel setMode(const Options& options) {
  const bool training = options.flag("training");
  return [=](Network& network, const Tensors&) {
    network.train(training);
    return Reply{};
  };
}

NetworkQueryKernel move(const Options& options) {
  std::optional<at::ScalarType> dtype;
  std::optional<at::Device> device;
  if (options.has("dtype")) dtype = parseDtype(options.text("dtype"));
  if (dtype && !at::isFloatingType(*dtype)) {
    throw Error("ERR_INVALID_DTYPE", "Expected a floating-point dtype for a model but received " + dtypeName(*dtype));
  }
  if (options.has("device")) device = parseDevice(options.text("device"));
  const bool channelsLast = options.flag("channelsLast");
  return [=](Network& network, const Tensors&) {
    c10::GradMode::set_enabled(false);
    // Not Module::to(dtype), which makes a float of num_batches_tracked and leaves gradients behind.
    const auto moved = [&](const at::Tensor& x) {
      auto result = x.to(device.value_or(x.device()), x.is_floating_point() ? dtype.value_or(x.scalar_type()) : x.scalar_type());
      if (x.dim() != 4) return result;
      return result.contiguous(channelsLast ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    };
    for (auto& parameter : network.parameters()) {
      const at::Tensor gradient = parameter.grad();
      parameter.mutable_grad() = at::Tensor();  // a gradient must fit its tensor at every moment
      parameter.set_data(moved(parameter.detach()));
      if (gradient.defined()) parameter.mutable_grad() = moved(gradient);
    }
    for (auto& buffer : network.buffers()) buffer.set_data(moved(buffer));
    return Reply{};
  };
}

// Parameters whose name begins with one of the prefixes learn; all others are frozen.
NetworkQueryKernel setTrainable(const Options& options) {
  const auto prefixes = options.texts("prefixes");
  return [=](Network& network, const Tensors&) {
    Reply reply;
    for (auto& item : network.named_parameters()) {
      bool learns = false;
      for (const auto& prefix : prefixes) learns = learns || item.key().starts_with(prefix);
      item.value().requires_grad_(learns);
      if (learns) reply.texts.push_back(item.key());
    }
    return reply;
  };
}

NetworkQueryKernel setBatchNormUpdates(const Options& options) {
  const int64_t updates = options.integer("updates");
  if (updates < 1) throw invalidArgument("Expected at least 1 for updates");
  return [=](Network& network, const Tensors&) {
    for (auto& module : network.modules(/*include_self=*/false)) {
      if (auto* norm = module->as<BatchNorm2dImpl>()) norm->setUpdatesPerStep(updates);
    }
    return Reply{};
  };
}

NetworkQueryKernel describe(const Options&) {
  return [](Network& network, const Tensors&) {
    Reply reply;
    reply.texts = network.tapNames();
    reply.texts.push_back(network.camLayer());
    return reply;
  };
}

}  // namespace

std::vector<NamedTensor> stateOf(const torch::nn::Module& module) {
  std::vector<NamedTensor> state;
  collect(module, "", state);
  return state;
}

void registerNetworkOperations(NetworkRegistry& registry) {
  registry.addOperation("forward", {1,
                                    [](const Options& options) {
                                      return 1 + (options.has("taps") ? options.texts("taps").size() : 0);
                                    },
                                    forward});
  registry.addQuery("state", {0, readState});
  registry.addQuery("load", {Registry::kAnyNumber, loadState});
  registry.addQuery("mode", {0, setMode});
  registry.addQuery("move", {0, move});
  registry.addQuery("trainable", {0, setTrainable});
  registry.addQuery("batchNormUpdates", {0, setBatchNormUpdates});
  registry.addQuery("describe", {0, describe});
}

}  // namespace cxr
