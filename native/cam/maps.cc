#include "cam/maps.h"

#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/util/StringUtil.h>

#include <cmath>

#include "runtime/error.h"

namespace cxr::cam {
namespace {

constexpr double kEpsilon = 1e-7;
/// The one of Grad-CAM++'s denominator.
constexpr double kPlusPlusEpsilon = 1e-6;

/// alpha max(g, 0) of Grad-CAM++; `sums` are those of each channel's activation.
at::Tensor plusPlusTerms(const at::Tensor& g, const at::Tensor& sums) {
  const at::Tensor square = g.square();
  const at::Tensor alpha = square / (2 * square + sums * square * g + kPlusPlusEpsilon);
  return g.relu() * alpha;  // 0 where g is 0, as alpha is
}

}  // namespace

Method parseMethod(const std::string& name) {
  if (name == "gradcam") return Method::kGradCam;
  if (name == "gradcam++") return Method::kGradCamPlusPlus;
  if (name == "hirescam") return Method::kHiResCam;
  if (name == "layercam") return Method::kLayerCam;
  throw invalidArgument("Expected one of 'gradcam', 'gradcam++', 'hirescam', 'layercam' for method but received '" + name +
                        "'");
}

bool weighsChannels(Method method) { return method == Method::kGradCam || method == Method::kGradCamPlusPlus; }

at::Tensor weightedSum(const at::Tensor& activation, const at::Tensor& weights) {
  // A tapped activation stays in its own precision under autocast.
  const c10::impl::ExcludeDispatchKeyGuard exact(c10::autocast_dispatch_keyset);
  const at::Tensor sum = at::bmm(weights.unsqueeze(1), activation.flatten(2));  // [B, 1, h w]
  return sum.reshape({activation.size(0), activation.size(2), activation.size(3)}).relu();
}

RawMap rawMap(Method method, const at::Tensor& a, const at::Tensor& g) {
  switch (method) {
    case Method::kGradCam: {
      const at::Tensor weights = g.mean({2, 3});
      return {weightedSum(a, weights), weights};
    }
    case Method::kGradCamPlusPlus: {
      const at::Tensor weights = plusPlusTerms(g, a.sum({2, 3}, /*keepdim=*/true)).sum({2, 3});
      return {weightedSum(a, weights), weights};
    }
    case Method::kHiResCam:
      return {(g * a).sum(1).relu(), {}};
    case Method::kLayerCam:
      return {(g.relu() * a).sum(1).relu(), {}};
  }
  throw invalidArgument("Expected a known method");
}

RawMap rawMapOfConstant(Method method, const at::Tensor& a, const at::Tensor& g) {
  switch (method) {
    case Method::kGradCam:
      return {weightedSum(a, g), g};
    case Method::kGradCamPlusPlus: {
      const at::Tensor weights = plusPlusTerms(g, a.sum({2, 3})) * (a.size(2) * a.size(3));
      return {weightedSum(a, weights), weights};
    }
    case Method::kHiResCam:
      return {weightedSum(a, g), {}};
    case Method::kLayerCam:
      return {weightedSum(a, g.relu()), {}};
  }
  throw invalidArgument("Expected a known method");
}

at::Tensor normalise(const at::Tensor& maps) {
  const at::Tensor above = maps - maps.amin({1, 2}, /*keepdim=*/true);
  return above / (above.amax({1, 2}, /*keepdim=*/true) + kEpsilon);
}

at::Tensor toImage(const std::vector<at::Tensor>& raw, int64_t height, int64_t width) {
  at::Tensor sum;
  for (const at::Tensor& layer : raw) {
    const at::Tensor resized =
        at::upsample_bilinear2d(normalise(layer).unsqueeze(1), {height, width}, /*align_corners=*/false).squeeze(1).relu();
    sum = sum.defined() ? sum + resized : resized;
  }
  return normalise(raw.size() == 1 ? sum : sum / static_cast<double>(raw.size()));
}

at::Tensor featureMap(const at::Tensor& x, int64_t height, int64_t width) {
  if (x.dim() != 3) return x;
  const double shape = static_cast<double>(height) / static_cast<double>(width);
  for (int64_t dropped = 0; dropped <= 1; dropped++) {
    const int64_t tokens = x.size(1) - dropped;
    const auto rows = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(tokens) * shape)));
    if (rows < 1 || tokens % rows != 0) continue;
    const int64_t columns = tokens / rows;
    // The grid has the image's shape, up to the rounding of the strides.
    if (std::abs(std::log(static_cast<double>(rows) / static_cast<double>(columns) / shape)) > std::log(1.5)) continue;
    return x.slice(1, dropped).transpose(1, 2).reshape({x.size(0), x.size(2), rows, columns});
  }
  throw invalidShape(c10::str("Expected tokens [B, N, D] on a grid of the image's shape, ", height, " x ", width,
                              ", for layer but it gives ", x.sizes()));
}

at::Tensor fromActivation(Method method, const at::Tensor& activation, const at::Tensor& gradient, int64_t height,
                          int64_t width) {
  if (activation.dim() != 4 || activation.numel() == 0) {
    throw invalidShape("Expected [B, K, h, w], not empty, for activation but received " + c10::str(activation.sizes()));
  }
  if (gradient.sizes() != activation.sizes()) {
    throw invalidShape("Expected the activation's shape " + c10::str(activation.sizes()) +
                       " for gradient but received " + c10::str(gradient.sizes()));
  }
  const bool wide = activation.scalar_type() == at::kDouble;
  const at::Tensor a = activation.to(wide ? at::kDouble : at::kFloat);
  return toImage({rawMap(method, a, gradient.to(a.device(), a.scalar_type())).raw}, height, width);
}

}  // namespace cxr::cam
