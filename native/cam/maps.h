// The arithmetic of the attention maps, from activations and gradients. All of it can be differentiated.
//
// Grad-CAM: Selvaraju et al., ICCV 2017. Grad-CAM++: Chattopadhyay et al., WACV 2018. HiResCAM: Draelos and Carin, 2020.
// LayerCAM: Jiang et al., IEEE TIP 2021. ScoreCAM: Wang et al., CVPR Workshops 2020. Normalised as pytorch-grad-cam does
// it: once at the size of the layer and again at the size of the image.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

namespace cxr::cam {

/// The methods that weigh an activation by a gradient.
enum class Method { kGradCam, kGradCamPlusPlus, kHiResCam, kLayerCam };

/// "gradcam", "gradcam++", "hirescam", "layercam".
Method parseMethod(const std::string& name);

/// Whether the method has one weight for each channel, rather than one for each element.
bool weighsChannels(Method method);

/// A map at the size of the layer.
struct RawMap {
  at::Tensor raw;      ///< [B, h, w], at least 0
  at::Tensor weights;  ///< [B, K]; undefined for a method that does not weigh channels
};

/// The map from the activation A and the gradient G of the logit by it, [B, K, h, w] both.
RawMap rawMap(Method method, const at::Tensor& activation, const at::Tensor& gradient);

/// The same where the gradient is constant in each channel: [B, K].
RawMap rawMapOfConstant(Method method, const at::Tensor& activation, const at::Tensor& gradient);

/// max(0, sum_k w_k A_k): [B, K, h, w] and [B, K] -> [B, h, w].
at::Tensor weightedSum(const at::Tensor& activation, const at::Tensor& weights);

/// (m - min m) / (1e-7 + max(m - min m)) of each map of [B, h, w]. Zeros stay zeros.
at::Tensor normalise(const at::Tensor& maps);

/// Maps [B, height, width] of raw maps of one layer or several: each is normalised and resized (bilinear, half-pixel
/// centres), their mean is normalised again.
at::Tensor toImage(const std::vector<at::Tensor>& raw, int64_t height, int64_t width);

/// Tokens [B, N, D] of an image of this size as [B, D, h, w], a class token in front dropped; [B, K, h, w] as it is.
at::Tensor featureMap(const at::Tensor& activation, int64_t height, int64_t width);

/// Activation and gradient of the caller, checked and in one precision, through `rawMap` and `toImage`.
at::Tensor fromActivation(Method method, const at::Tensor& activation, const at::Tensor& gradient, int64_t height,
                          int64_t width);

}  // namespace cxr::cam
