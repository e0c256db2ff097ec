#include "loss/checks.h"

#include <c10/util/StringUtil.h>

#include "tensor/failure.h"

namespace cxr::loss {

at::Tensor workingPrecision(const at::Tensor& values, const std::string& name) {
  if (!values.is_floating_point()) {
    throw Error("ERR_INVALID_DTYPE", "Expected a floating-point tensor for " + name + " but received " +
                                         dtypeName(values.scalar_type()));
  }
  const bool wide = values.scalar_type() == at::kFloat || values.scalar_type() == at::kDouble;
  return wide ? values : values.to(at::kFloat);
}

void expectDimensions(const at::Tensor& values, int64_t dimensions, const std::string& expected,
                      const std::string& name) {
  if (values.dim() == dimensions) return;
  throw invalidShape("Expected " + expected + " for " + name + " but received " + c10::str(values.sizes()));
}

at::Tensor checkedLabels(const at::Tensor& labels, const at::Tensor& logits, bool allowIgnored) {
  expectDimensions(logits, 2, "[B, C]", "logits");
  if (!at::isIntegralType(labels.scalar_type(), /*includeBool=*/false)) {
    throw Error("ERR_INVALID_DTYPE",
                "Expected int64 labels for labels but received " + dtypeName(labels.scalar_type()));
  }
  const int64_t batch = logits.size(0);
  const int64_t classes = logits.size(1);
  if (labels.dim() != 1 || labels.size(0) != batch) {
    throw invalidShape("Expected [" + std::to_string(batch) +
                       "] for labels, one for each row of the logits " + c10::str(logits.sizes()) +
                       ", but received " + c10::str(labels.sizes()));
  }
  const at::Tensor wide = labels.detach().to(at::kLong);
  at::Tensor bad = wide.lt(0).logical_or(wide.ge(classes));
  if (allowIgnored) bad = bad.logical_and(wide.ne(kIgnoredLabel));
  if (bad.any().item<bool>()) {
    const int64_t index = bad.to(at::kByte).argmax().item<int64_t>();
    throw invalidArgument("Expected a class from 0 to " + std::to_string(classes - 1) + " for labels[" +
                          std::to_string(index) + "] but received " +
                          std::to_string(wide[index].item<int64_t>()));
  }
  return wide.to(logits.device());
}

at::Tensor perClass(const at::Tensor& values, const at::Tensor& logits, const std::string& name) {
  if (!values.defined()) return values;
  if (values.dim() != 1 || values.size(0) != logits.size(1)) {
    throw invalidShape("Expected [" + std::to_string(logits.size(1)) + "] for " + name +
                       ", one for each class of the " + "logits " + c10::str(logits.sizes()) +
                       ", but received " + c10::str(values.sizes()));
  }
  workingPrecision(values, name);
  return values.detach().to(logits.device(), logits.scalar_type());
}

}  // namespace cxr::loss
