// What every backbone is to the rest of the house: a module with named taps.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tensor/registry.h"

namespace cxr {

/// Named activations of one forward pass. A network calls `x = taps(name, x)` at each place it offers.
class Taps {
 public:
  Taps() = default;
  /// Asks for these activations to be kept, in float32.
  explicit Taps(std::vector<std::string> wanted);

  /// Records `x` if it was asked for, or starts the autograd graph there (see `differentiateBy`), and returns what the
  /// network goes on with.
  at::Tensor operator()(const std::string& name, const at::Tensor& x);

  /// Asks for activations by which the logits will be differentiated: each is recorded as the very tensor, in float32 or
  /// float64, that the network goes on with.
  /// @param cut the first of them to be met is detached and the graph starts there: the price is a backward pass through
  ///   the layers behind it only. Must then run under no-grad. Otherwise the graph reaches back to the weights.
  void differentiateBy(const std::vector<std::string>& names, bool cut);

  /// Whether this activation was asked for: a network may leave out work that only a tap needs.
  bool wants(const std::string& name) const { return recorded_.count(name) != 0; }

  /// The activation recorded under `name`; throws if the pass has not met it.
  const at::Tensor& at(const std::string& name) const;

 private:
  at::Tensor differentiable(const at::Tensor& x);

  std::map<std::string, at::Tensor> recorded_;
  std::set<std::string> differentiateBy_;
  bool cut_ = false;
};

/// A backbone with its head.
class Network : public torch::nn::Module {
 public:
  /// images [B, C, H, W] -> logits [B, classes], or a teacher's embedding [B, 64]
  virtual at::Tensor forward(const at::Tensor& images, Taps& taps) = 0;
  /// Names that `forward` offers to `Taps`, in order of the pass.
  virtual std::vector<std::string> tapNames() const = 0;
  /// The tap whose activation Grad-CAM explains by default: the last feature map [B, K, h, w]. Empty where
  /// there is no class to explain.
  virtual std::string camLayer() const = 0;
  /// The weight W [C, K] where logits = W · mean over h, w of the activation at `camLayer()`, plus a bias: the gradient of
  /// logit c by that activation is then W[c, k] / (h w) everywhere, and needs no backward pass. Undefined otherwise.
  virtual at::Tensor poolingHead() const { return {}; }
  /// Whether a tap gives [B, h, w, K] rather than [B, K, h, w].
  virtual bool hasChannelsLast(const std::string& /*tap*/) const { return false; }
};

/// A job on a network: reads options on the JavaScript thread, runs on the compute lane.
using NetworkKernel = std::function<std::vector<at::Tensor>(Network&, const std::vector<at::Tensor>& inputs)>;

struct NetworkOperation {
  size_t inputs;
  std::function<size_t(const Options&)> outputs;
  std::function<NetworkKernel(const Options&)> prepare;
};

using NetworkQueryKernel = std::function<Reply(Network&, const std::vector<at::Tensor>& inputs)>;

/// Something asked of a network, or done to it, that settles a promise.
struct NetworkQuery {
  size_t maxInputs;
  std::function<NetworkQueryKernel(const Options&)> prepare;
};

/// Architectures by name, and what can be done with a network by name.
class NetworkRegistry {
 public:
  using Factory = std::function<std::shared_ptr<Network>()>;
  void addArchitecture(const std::string& name, std::function<Factory(const Options&)> prepare) {
    architectures_[name] = std::move(prepare);
  }
  void addOperation(const std::string& name, NetworkOperation operation) {
    operations_[name] = std::move(operation);
  }
  void addQuery(const std::string& name, NetworkQuery query) { queries_[name] = std::move(query); }
  const NetworkQuery& query(const std::string& name) const;
  const std::function<Factory(const Options&)>& architecture(const std::string& name) const;
  const NetworkOperation& operation(const std::string& name) const;

 private:
  std::map<std::string, std::function<Factory(const Options&)>> architectures_;
  std::map<std::string, NetworkOperation> operations_;
  std::map<std::string, NetworkQuery> queries_;
};

}  // namespace cxr
