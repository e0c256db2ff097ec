// Adam, AdamW and SGD over LibTorch's fused kernels: one pass over all parameters of a device and dtype.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "tensor/registry.h"

namespace cxr {

struct OptimizerOptions {
  std::string kind;  ///< "adam", "adamw" or "sgd"
  double learningRate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weightDecay = 0;
  double momentum = 0;
  bool nesterov = false;

  static OptimizerOptions from(const Options& options);
};

/// One parameter's state by PyTorch's names.
using NamedState = std::vector<std::pair<std::string, at::Tensor>>;

class Optimizer {
 public:
  Optimizer(OptimizerOptions options, Tensors parameters);

  /// One update from the parameters' gradients; parameters without a gradient are left alone.
  void step();
  void zeroGrad();
  void setLearningRate(double learningRate) { options_.learningRate = learningRate; }
  double learningRate() const { return options_.learningRate; }
  /// Euclidean norm over all gradients; scales them down to `maximum` where that is positive and exceeded.
  double clipGradients(double maximum);

  /// For parameter i the state's tensors in PyTorch's order; empty for a parameter that was never updated.
  NamedState state(size_t parameter) const;
  /// Throws if names or shapes are not those of this parameter; changes nothing.
  void checkState(size_t parameter, const NamedState& state) const;
  void loadState(size_t parameter, const NamedState& state);
  size_t size() const { return slots_.size(); }

 private:
  struct Slot {
    at::Tensor parameter;
    at::Tensor step;        ///< float32 scalar, as PyTorch keeps it
    at::Tensor average;     ///< exp_avg, or SGD's momentum buffer
    at::Tensor averageSq;   ///< exp_avg_sq
  };
  struct Group;
  std::vector<Group> groups();
  void prepare(Slot& slot);
  void stepAdam(Group& group);
  void stepSgd(Group& group);

  OptimizerOptions options_;
  std::vector<Slot> slots_;
};

}  // namespace cxr
