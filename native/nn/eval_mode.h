// Eval mode for the length of a scope.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <utility>
#include <vector>

namespace cxr {

/// Puts a module and all its submodules in eval mode; the destructor gives each of them its own flag back,
/// because a network may be partly frozen.
class EvalMode {
 public:
  explicit EvalMode(torch::nn::Module& root) {
    // The root goes by reference: shared_from_this() would throw for a module on the stack.
    flags_.emplace_back(&root, root.is_training());
    for (const auto& module : root.modules(/*include_self=*/false)) {
      owners_.push_back(module);
      flags_.emplace_back(module.get(), module->is_training());
    }
    root.eval();
  }
  // train() descends: parents come first, so that children have the last word.
  ~EvalMode() {
    for (const auto& [module, training] : flags_) module->train(training);
  }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  std::vector<std::shared_ptr<torch::nn::Module>> owners_;
  std::vector<std::pair<torch::nn::Module*, bool>> flags_;
};

}  // namespace cxr
