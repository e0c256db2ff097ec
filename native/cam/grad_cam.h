// Grad-CAM: which part of an image a class logit rests on.
//
// Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV
// 2017; normalised as pytorch-grad-cam does it: once at the size of the layer and again at the size of the
// image.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "nn/network.h"
#include "tensor/registry.h"

namespace cxr {
namespace cam {

/// (m - min m) / (1e-7 + max(m - min m)) of each map of [B, h, w]. Zeros stay zeros.
at::Tensor normalise(const at::Tensor& maps);

/// Maps [B, height, width] from the activation A and the gradient G of the logit by it, [B, K, h, w] both:
/// raw = max(0, sum_k mean(G_k) A_k), normalised, resized (bilinear, half-pixel centres) and normalised
/// again.
at::Tensor fromActivation(const at::Tensor& activation, const at::Tensor& gradient, int64_t height,
                          int64_t width);

struct Explanation {
  at::Tensor maps;     ///< [B, H, W] float32 in [0, 1)
  at::Tensor logits;   ///< [B, C] float32
  at::Tensor classes;  ///< [B] int64: the class that each map explains
};

/// Explains images [B, C, H, W] in eval mode (flags are put back) with one forward and one backward pass.
/// @param layer a tap of the network; empty for `network.camLayer()`
/// @param classes one for each image, one for all, or none for the predicted class
Explanation gradCam(Network& network, const at::Tensor& images, const std::string& layer,
                    const std::vector<int64_t>& classes);

}  // namespace cam

/// Adds "cam.fromActivation".
void registerCam(Registry& registry);
/// Adds "cam.gradCam": images -> maps, logits, classes.
void registerCam(NetworkRegistry& registry);

}  // namespace cxr
