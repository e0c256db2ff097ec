#include "loss/attention.h"

#include <c10/util/StringUtil.h>

#include "loss/checks.h"

namespace cxr::loss {

at::Tensor attentionVector(const at::Tensor& map) {
  const at::Tensor squares = map.square().mean(1).flatten(1);
  // max(norm, 1e-12) written as the root of a clamped sum: unlike norm(), it has a second derivative at zero.
  const at::Tensor norm = squares.square().sum(1, /*keepdim=*/true).clamp_min(1e-24).sqrt();
  return squares / norm;
}

at::Tensor attention(const at::Tensor& x, const at::Tensor& y, bool sumPositions) {
  const at::Tensor a = workingPrecision(x, "x");
  expectDimensions(a, 4, "[B, C, H, W]", "x");
  expectDimensions(y, 4, "[B, C, H, W]", "y");
  if (a.numel() == 0)
    throw invalidShape("Expected a map that is not empty for x but received " + c10::str(a.sizes()));
  if (y.size(0) != a.size(0) || y.size(1) == 0 || y.size(2) != a.size(2) || y.size(3) != a.size(3)) {
    throw invalidShape("Expected batch, height and width of x, " + c10::str(a.sizes()) +
                       ", for y but received " + c10::str(y.sizes()));
  }
  const at::Tensor b = workingPrecision(y, "y").to(a.device());
  const at::Tensor squares = (attentionVector(a) - attentionVector(b)).square();
  return sumPositions ? squares.sum(1).mean() : squares.mean();
}

}  // namespace cxr::loss
