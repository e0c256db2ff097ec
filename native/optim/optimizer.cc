#include "optim/optimizer.h"

#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace cxr {

/// Parameters that one fused call may take together.
struct Optimizer::Group {
  at::ScalarType type;
  at::Device device;
  bool isFirst;  ///< SGD: no momentum buffer has been filled yet
  Tensors parameters, gradients, averages, averageSqs, steps;
};

OptimizerOptions OptimizerOptions::from(const Options& options) {
  OptimizerOptions result;
  result.kind = options.text("kind");
  if (result.kind != "adam" && result.kind != "adamw" && result.kind != "sgd") {
    throw invalidArgument("Expected 'adam', 'adamw' or 'sgd' for kind but received '" + result.kind + "'");
  }
  result.learningRate = options.number("learningRate");
  result.beta1 = options.number("beta1", 0.9);
  result.beta2 = options.number("beta2", 0.999);
  result.eps = options.number("eps", 1e-8);
  result.weightDecay = options.number("weightDecay", result.kind == "adamw" ? 1e-2 : 0.0);
  result.momentum = options.number("momentum", 0.0);
  result.nesterov = options.flag("nesterov");
  return result;
}

Optimizer::Optimizer(OptimizerOptions options, Tensors parameters) : options_(std::move(options)) {
  for (auto& parameter : parameters) {
    if (!parameter.is_leaf()) throw invalidArgument("Expected leaf tensors as parameters of an optimizer");
    if (!parameter.is_floating_point()) {
      throw Error("ERR_INVALID_DTYPE", "Expected floating-point tensors as parameters of an optimizer");
    }
    // The fused kernels walk the memory from end to end.
    if (!parameter.is_non_overlapping_and_dense()) {
      throw invalidArgument("Expected tensors without gaps in memory as parameters of an optimizer");
    }
    slots_.push_back({std::move(parameter), {}, {}, {}});
  }
}

void Optimizer::prepare(Slot& slot) {
  // The model may have been moved to another type, device or memory order since the last step.
  for (at::Tensor* average : {&slot.average, &slot.averageSq}) {
    if (!average->defined() || (average->strides() == slot.parameter.strides() &&
                                average->scalar_type() == slot.parameter.scalar_type() &&
                                average->device() == slot.parameter.device())) {
      continue;
    }
    *average = at::empty_like(slot.parameter).copy_(*average);
  }
  if (slot.step.defined() && slot.step.device() != slot.parameter.device()) {
    slot.step = slot.step.to(slot.parameter.device());
  }
  if (options_.kind == "sgd") {
    if (options_.momentum != 0 && !slot.average.defined()) slot.average = at::zeros_like(slot.parameter);
    return;
  }
  if (slot.average.defined()) return;
  slot.average = at::zeros_like(slot.parameter);
  slot.averageSq = at::zeros_like(slot.parameter);
  slot.step = at::zeros({}, slot.parameter.options().dtype(at::kFloat));
}

std::vector<Optimizer::Group> Optimizer::groups() {
  std::vector<Group> groups;
  for (auto& slot : slots_) {
    const at::Tensor gradient = slot.parameter.grad();
    if (!gradient.defined()) continue;
    const bool isFirst = options_.kind == "sgd" && options_.momentum != 0 && !slot.average.defined();
    prepare(slot);
    const auto type = slot.parameter.scalar_type();
    const auto device = slot.parameter.device();
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& other) {
      return other.type == type && other.device == device && other.isFirst == isFirst;
    });
    if (group == groups.end()) {
      groups.push_back(Group{type, device, isFirst, {}, {}, {}, {}, {}});
      group = std::prev(groups.end());
    }
    group->parameters.push_back(slot.parameter);
    // The fused kernels walk parameter and gradient as flat memory, so both must have the same layout.
    const bool sameLayout = gradient.strides() == slot.parameter.strides() && gradient.scalar_type() == type;
    group->gradients.push_back(sameLayout ? gradient : at::empty_like(slot.parameter).copy_(gradient));
    if (slot.average.defined()) group->averages.push_back(slot.average);
    if (slot.averageSq.defined()) group->averageSqs.push_back(slot.averageSq);
    if (slot.step.defined()) group->steps.push_back(slot.step);
  }
  return groups;
}

void Optimizer::stepAdam(Group& group) {
  for (auto& step : group.steps) step.add_(1);
  const auto& o = options_;
  auto& [type, device, isFirst, p, g, m, v, t] = group;
  // The two kernels differ in where the weight decay enters; neither uses AMSGrad's maxima or gradient scaling.
  if (o.kind == "adamw") {
    at::_fused_adamw_(p, g, m, v, {}, t, o.learningRate, o.beta1, o.beta2, o.weightDecay, o.eps, false, false);
  } else {
    at::_fused_adam_(p, g, m, v, {}, t, o.learningRate, o.beta1, o.beta2, o.weightDecay, o.eps, false, false);
  }
}

void Optimizer::stepSgd(Group& group) {
  at::_fused_sgd_(group.parameters, group.gradients, group.averages, options_.weightDecay, options_.momentum,
                  options_.learningRate, /*dampening=*/0.0, options_.nesterov, /*maximize=*/false, group.isFirst,
                  /*grad_scale=*/std::nullopt, /*found_inf=*/std::nullopt);
}

void Optimizer::step() {
  c10::GradMode::set_enabled(false);
  for (auto& group : groups()) options_.kind == "sgd" ? stepSgd(group) : stepAdam(group);
}

void Optimizer::zeroGrad() {
  for (auto& slot : slots_) slot.parameter.mutable_grad() = at::Tensor();
}

double Optimizer::clipGradients(double maximum) {
  c10::GradMode::set_enabled(false);
  Tensors gradients;
  for (auto& slot : slots_) {
    if (slot.parameter.grad().defined()) gradients.push_back(slot.parameter.grad());
  }
  if (gradients.empty()) return 0;
  const double norm = at::norm(at::stack(at::_foreach_norm(gradients, 2))).item<double>();
  if (maximum > 0 && norm > maximum) at::_foreach_mul_(gradients, maximum / (norm + 1e-6));
  return norm;
}

NamedState Optimizer::state(size_t parameter) const {
  const Slot& slot = slots_.at(parameter);
  if (options_.kind == "sgd") {
    if (!slot.average.defined()) return {};
    return {{"momentum_buffer", slot.average}};
  }
  if (!slot.average.defined()) return {};
  return {{"step", slot.step}, {"exp_avg", slot.average}, {"exp_avg_sq", slot.averageSq}};
}

void Optimizer::checkState(size_t parameter, const NamedState& state) const {
  const bool isSgd = options_.kind == "sgd";
  std::vector<std::string> missing{"step", "exp_avg", "exp_avg_sq"};
  if (isSgd) missing = {"momentum_buffer"};
  for (const auto& [name, tensor] : state) {
    if (std::erase(missing, name) == 0 || (isSgd && options_.momentum == 0)) {
      throw Error("ERR_STATE_DICT", "Unexpected optimizer state '" + name + "'");
    }
    const auto expected = name == "step" ? c10::IntArrayRef() : slots_.at(parameter).parameter.sizes();
    if (tensor.sizes() != expected) {
      throw Error("ERR_STATE_DICT", "Optimizer state '" + name + "' has another shape than its parameter");
    }
  }
  if (!missing.empty()) throw Error("ERR_STATE_DICT", "Missing optimizer state '" + missing.front() + "'");
}

void Optimizer::loadState(size_t parameter, const NamedState& state) {
  Slot& slot = slots_.at(parameter);
  c10::GradMode::set_enabled(false);
  prepare(slot);
  for (const auto& [name, tensor] : state) {
    at::Tensor& target = name == "step" ? slot.step : name == "exp_avg_sq" ? slot.averageSq : slot.average;
    target.copy_(tensor);
  }
}

}  // namespace cxr
