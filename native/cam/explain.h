// Attention maps of a network's batch: one forward pass and at most one backward pass.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <vector>

#include "cam/maps.h"
#include "nn/network.h"

namespace cxr::cam {

/// What is asked of a network for every kind of map.
struct Question {
  std::vector<std::string> layers;  ///< taps of the network; none for `camLayer()`
  std::vector<int64_t> classes;     ///< one for each image, one for all, or none for the predicted ones
  bool rectified = false;           ///< explains max(0, A) with the gradient by A, as pytorch-grad-cam on a CPU does
};

struct Explanation {
  at::Tensor maps;     ///< [B, H, W] in [0, 1), float64 if the network is, else float32
  at::Tensor logits;   ///< [B, C]
  at::Tensor classes;  ///< [B] int64: the class that each map explains
  RawMap raw;          ///< of a single layer
};

/// @param images [B, C, H, W]
/// @param given classes as an int64 tensor [B], which take the place of those of the question; may be undefined
/// @param differentiable keeps the graph of maps and logits, back to the weights; under no-grad it changes nothing
/// @param evaluation in eval mode, flags put back; else in the mode that the network is in
Explanation explain(Network& network, const at::Tensor& images, const at::Tensor& given, const Question& question,
                    Method method, bool differentiable, bool evaluation);

/// The question's layers, or the default one; throws, offering the nearest names, for one that the network has not.
std::vector<std::string> layersOf(const Network& network, const Question& question);

/// The classes to explain as int64 [B]; throws for logits that are not finite and for classes that are none.
at::Tensor chosenClasses(const at::Tensor& logits, const at::Tensor& given, const std::vector<int64_t>& classes);

/// Throws for what is no batch of images.
void checkImages(const at::Tensor& images);

/// A layer's activation, or the gradient by it, as [B, K, h, w].
at::Tensor explained(const Network& network, const std::string& layer, const at::Tensor& x, const at::Tensor& images);

}  // namespace cxr::cam
