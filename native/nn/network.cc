#include "nn/network.h"

#include <c10/core/GradMode.h>

#include <algorithm>

namespace cxr {

Taps::Taps(std::vector<std::string> wanted) {
  for (auto& name : wanted) recorded_.emplace(std::move(name), at::Tensor());
}

void Taps::cutAt(const std::string& name) {
  cut_ = name;
  recorded_.emplace(name, at::Tensor());
}

at::Tensor Taps::operator()(const std::string& name, const at::Tensor& x) {
  if (name == cut_ && !cut_.empty()) {
    // A leaf of its own: what lies before needs no graph, what follows is differentiated.
    auto activation = x.detach().to(at::kFloat).clone(at::MemoryFormat::Preserve);
    if (x.scalar_type() == at::kDouble) activation = x.detach().clone(at::MemoryFormat::Preserve);
    c10::GradMode::set_enabled(true);
    activation.requires_grad_(true);
    recorded_[name] = activation;
    return activation;
  }
  auto wanted = recorded_.find(name);
  if (wanted != recorded_.end()) {
    const bool isLow = x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf;
    wanted->second = isLow ? x.to(at::kFloat) : x;
  }
  return x;
}

const at::Tensor& Taps::at(const std::string& name) const {
  auto found = recorded_.find(name);
  if (found == recorded_.end() || !found->second.defined()) {
    throw invalidArgument("Expected a tap of this network but received '" + name + "'");
  }
  return found->second;
}

const std::function<NetworkRegistry::Factory(const Options&)>& NetworkRegistry::architecture(
    const std::string& name) const {
  auto found = architectures_.find(name);
  if (found == architectures_.end()) throw invalidArgument("Expected a known architecture but received '" + name + "'");
  return found->second;
}

const NetworkOperation& NetworkRegistry::operation(const std::string& name) const {
  auto found = operations_.find(name);
  if (found == operations_.end()) throw invalidArgument("Expected a known model operation but received '" + name + "'");
  return found->second;
}

const NetworkQuery& NetworkRegistry::query(const std::string& name) const {
  auto found = queries_.find(name);
  if (found == queries_.end()) throw invalidArgument("Expected a known model query but received '" + name + "'");
  return found->second;
}

}  // namespace cxr
