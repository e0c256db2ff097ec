#include "loss/segmentation.h"

#include <c10/util/StringUtil.h>

#include "loss/checks.h"

namespace cxr::loss {

at::Tensor segmentation(const at::Tensor& logits, const at::Tensor& targets, double smooth) {
  const at::Tensor z = workingPrecision(logits, "logits");
  if (z.numel() == 0)
    throw invalidShape("Expected logits of at least one pixel but received " + c10::str(z.sizes()));
  if (targets.sizes() != z.sizes())
    throw invalidShape("Expected the shape of the logits, " + c10::str(z.sizes()) +
                       ", for targets but received " + c10::str(targets.sizes()));
  const at::Tensor m = workingPrecision(targets, "targets").to(z.options());
  const at::Tensor p = z.sigmoid();
  const at::Tensor overlap = (2 * (p * m).sum() + smooth) / (p.sum() + m.sum() + smooth);
  return at::binary_cross_entropy_with_logits(z, m) + (1 - overlap);
}

}  // namespace cxr::loss
