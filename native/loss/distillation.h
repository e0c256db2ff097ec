// Knowledge distillation between feature vectors.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace cxr::loss {

/// KL(softmax(teacher) || softmax(student)) summed over the D components and averaged over the batch, [B, D]
/// each.
at::Tensor distillationTerm(const at::Tensor& student, const at::Tensor& teacher, size_t index);

/// { sum_k shares[k] * term_k, term_0, term_1, ... } for inputs { student, teacher_0, teacher_1, ... }.
std::vector<at::Tensor> distillation(const std::vector<at::Tensor>& inputs,
                                     const std::vector<double>& shares);

}  // namespace cxr::loss
