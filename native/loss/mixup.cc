#include "loss/mixup.h"

#include <c10/util/StringUtil.h>

#include "loss/checks.h"

namespace cxr::loss {

at::Tensor mixup(const at::Tensor& x, const std::vector<int64_t>& permutation, double lambda) {
  const at::Tensor a = workingPrecision(x, "x");
  const auto batch = static_cast<int64_t>(permutation.size());
  if (a.dim() == 0 || a.size(0) != batch) {
    throw invalidShape("Expected as many images as the permutation is long (" + std::to_string(batch) +
                       ") for x but received " + c10::str(a.sizes()));
  }
  const at::Tensor order = at::tensor(permutation, at::kLong).to(a.device());
  return (lambda * a + (1 - lambda) * a.index_select(0, order)).to(x.scalar_type());
}

at::Tensor balancedMixup(const at::Tensor& natural, const at::Tensor& balanced, double lambda) {
  const at::Tensor a = workingPrecision(natural, "natural");
  const at::Tensor b = workingPrecision(balanced, "balanced").to(a.device());
  if (a.sizes() != b.sizes()) {
    throw invalidShape("Expected the shape of natural, " + c10::str(a.sizes()) +
                       ", for balanced but received " + c10::str(b.sizes()));
  }
  return ((1 - lambda) * a + lambda * b).to(natural.scalar_type());
}

}  // namespace cxr::loss
