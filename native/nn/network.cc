#include "nn/network.h"

#include <c10/core/GradMode.h>

#include <algorithm>

namespace cxr {

Taps::Taps(std::vector<std::string> wanted) {
  for (auto& name : wanted) recorded_.emplace(std::move(name), at::Tensor());
}

void Taps::differentiateBy(const std::vector<std::string>& names, bool cut) {
  for (const auto& name : names) recorded_.emplace(name, at::Tensor());
  differentiateBy_.insert(names.begin(), names.end());
  cut_ = cut;
}

at::Tensor Taps::differentiable(const at::Tensor& x) {
  const at::Tensor wide = x.to(x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  if (!cut_) {
    // Where nothing before it learns, the graph starts here.
    return wide.requires_grad() ? wide : wide.detach().requires_grad_(true);
  }
  // A leaf of its own: what lies before needs no graph, what follows is differentiated.
  cut_ = false;
  c10::GradMode::set_enabled(true);
  return wide.detach().clone(at::MemoryFormat::Preserve).requires_grad_(true);
}

at::Tensor Taps::operator()(const std::string& name, const at::Tensor& x) {
  auto wanted = recorded_.find(name);
  if (wanted == recorded_.end()) return x;
  if (differentiateBy_.count(name) != 0) return wanted->second = differentiable(x);
  const bool isLow = x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf;
  wanted->second = isLow ? x.to(at::kFloat) : x;
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
