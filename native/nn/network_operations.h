// What can be done with every network: forward, modes, state dict.
#pragma once

#include "nn/network.h"

namespace cxr {

void registerNetworkOperations(NetworkRegistry& registry);

/// A network's tensors under PyTorch's keys, in PyTorch's order: each module's parameters, then its buffers, then its
/// children.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
  bool isBuffer;
};
std::vector<NamedTensor> stateOf(const torch::nn::Module& module);

}  // namespace cxr
