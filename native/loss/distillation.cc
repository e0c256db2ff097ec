#include "loss/distillation.h"

#include <c10/util/StringUtil.h>

#include "loss/checks.h"

namespace cxr::loss {

at::Tensor distillationTerm(const at::Tensor& student, const at::Tensor& teacher, size_t index) {
  const std::string name = "teachers[" + std::to_string(index) + "]";
  const at::Tensor s = workingPrecision(student, "student");
  expectDimensions(s, 2, "[B, D]", "student");
  if (s.size(0) == 0)
    throw invalidShape("Expected at least one row for student but received " + c10::str(s.sizes()));
  if (teacher.sizes() != s.sizes()) {
    throw invalidShape("Expected the student's shape " + c10::str(s.sizes()) + " for " + name +
                       " but received " + c10::str(teacher.sizes()));
  }
  const at::Tensor t = workingPrecision(teacher, name).to(s.device(), s.scalar_type());
  const at::Tensor logS = at::log_softmax(s, 1);
  const at::Tensor logT = at::log_softmax(t, 1);
  return (logT.exp() * (logT - logS)).sum(1).mean();
}

std::vector<at::Tensor> distillation(const std::vector<at::Tensor>& inputs,
                                     const std::vector<double>& shares) {
  std::vector<at::Tensor> results(1);
  for (size_t k = 0; k < shares.size(); k++) {
    const at::Tensor term = distillationTerm(inputs[0], inputs[k + 1], k);
    const at::Tensor part = term * shares[k];
    results[0] = k == 0 ? part : results[0] + part;
    results.push_back(term);
  }
  return results;
}

}  // namespace cxr::loss
