// The product inside window attention: three ways to the same numbers.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <tuple>

#include "nn/window_attention.h"

namespace cxr {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Parts {
  at::Tensor q, k, v;  ///< [N, T, heads, e]
};

Parts partsOf(const at::Tensor& qkv, const at::Tensor& query) {
  const int64_t own = qkv.size(2);
  const auto parts = qkv.unbind(2);
  if (!query.defined()) return {parts[0], parts[1], parts[2]};
  const int64_t windows = qkv.size(0) / query.size(0);
  auto q = query.unsqueeze(1).expand({-1, windows, -1, -1, -1}).flatten(0, 1).transpose(1, 2);
  return {std::move(q), parts[own - 2], parts[own - 1]};
}

/// Plain operations, differentiable any number of times, on every device and in every type.
at::Tensor composed(const at::Tensor& qkv, const at::Tensor& query, const at::Tensor& bias, double scale) {
  const auto [q, k, v] = partsOf(qkv, query);
  const int64_t windows = qkv.size(0), tokens = qkv.size(1), heads = qkv.size(3);
  const auto rows = [&](const at::Tensor& x) { return x.transpose(1, 2).reshape({windows * heads, tokens, -1}); };
  const auto scores = at::bmm(rows(q * scale), rows(k).transpose(1, 2));  // [N heads, T, T]
  scores.view({windows, heads, tokens, tokens}).add_(bias.to(scores.scalar_type()));
  return at::bmm(scores.softmax(-1), rows(v)).view({windows, heads, tokens, -1}).transpose(1, 2).flatten(2);
}

/// The same on the CPU without a copy of q, k or v, forwards or backwards: each head is a strided batch of matrices, and
/// gradients are written where the linear layer before reads them. The scores have one buffer in each direction.
class HeadByHead : public torch::autograd::Function<HeadByHead> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& qkv, const std::optional<at::Tensor>& given,
                            const at::Tensor& bias, double scale) {
    const auto query = given.value_or(at::Tensor());
    const auto [q, k, v] = partsOf(qkv, query);
    const int64_t windows = qkv.size(0), tokens = qkv.size(1), heads = qkv.size(3);
    auto weights = bias.unsqueeze(0).expand({windows, heads, tokens, tokens}).contiguous();
    for (int64_t h = 0; h < heads; ++h) {
      weights.select(1, h).baddbmm_(q.select(2, h), k.select(2, h).transpose(1, 2), 1, scale);
    }
    at::_softmax_out(weights, weights, -1, false);
    auto out = at::empty({windows, tokens, heads, qkv.size(4)}, qkv.options());
    for (int64_t h = 0; h < heads; ++h) {
      auto head = out.select(2, h);
      at::bmm_out(head, weights.select(1, h), v.select(2, h));
    }
    ctx->save_for_backward({qkv, query, bias, weights});
    ctx->saved_data["scale"] = scale;
    return out.flatten(2);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const auto& [qkv, query, bias, weights] = std::tie(saved[0], saved[1], saved[2], saved[3]);
    const double scale = ctx->saved_data["scale"].toDouble();
    if (c10::GradMode::is_enabled()) return differentiable(qkv, query, bias, scale, gradients[0]);
    const auto [q, k, v] = partsOf(qkv, query);
    const int64_t heads = qkv.size(3), own = qkv.size(2);
    const auto outward = gradients[0].contiguous().view({qkv.size(0), qkv.size(1), heads, qkv.size(4)});
    auto inward = at::empty(qkv.sizes(), qkv.options());
    auto toQ = query.defined() ? at::empty(q.sizes(), qkv.options()) : inward.select(2, 0);
    const auto toK = inward.select(2, own - 2), toV = inward.select(2, own - 1);
    auto toScores = at::empty(weights.sizes(), weights.options());
    for (int64_t h = 0; h < heads; ++h) {
      const auto from = outward.select(2, h), weight = weights.select(1, h);
      auto scores = toScores.select(1, h), values = toV.select(2, h);
      at::bmm_out(values, weight.transpose(1, 2), from);
      at::bmm_out(scores, from, v.select(2, h).transpose(1, 2));
    }
    at::_softmax_backward_data_out(toScores, toScores, weights, -1, weights.scalar_type());
    for (int64_t h = 0; h < heads; ++h) {
      const auto scores = toScores.select(1, h);
      // With beta 0 what the buffer held is not read.
      toQ.select(2, h).baddbmm_(scores, k.select(2, h), 0, scale);
      toK.select(2, h).baddbmm_(scores.transpose(1, 2), q.select(2, h), 0, scale);
    }
    at::Tensor toQuery;
    if (query.defined()) {
      const int64_t images = query.size(0);
      toQuery = toQ.transpose(1, 2).unflatten(0, {images, qkv.size(0) / images}).sum(1);
    }
    return {inward, toQuery, toScores.sum(0), at::Tensor()};
  }

 private:
  /// For `createGraph`: gradients that are themselves differentiated.
  static variable_list differentiable(const at::Tensor& qkv, const at::Tensor& query, const at::Tensor& bias,
                                      double scale, const at::Tensor& outward) {
    variable_list inputs{qkv, bias};
    if (query.defined()) inputs.push_back(query);
    const auto found = torch::autograd::grad({composed(qkv, query, bias, scale)}, inputs, {outward},
                                             /*retain_graph=*/true, /*create_graph=*/true, /*allow_unused=*/true);
    return {found[0], query.defined() ? found[2] : at::Tensor(), found[1], at::Tensor()};
  }
};

}  // namespace

at::Tensor attend(const at::Tensor& qkv, const at::Tensor& query, const at::Tensor& bias, double scale) {
  if (!c10::GradMode::is_enabled()) {
    const auto [q, k, v] = partsOf(qkv, query);
    const auto mask = bias.to(q.scalar_type()).unsqueeze(0).contiguous();
    return at::scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), mask, 0.0, false,
                                            scale)
        .transpose(1, 2)
        .flatten(2);
  }
  // LibTorch's fused kernels give a mask no gradient.
  const bool plain = qkv.is_cpu() && (qkv.scalar_type() == at::kFloat || qkv.scalar_type() == at::kDouble) &&
                     bias.scalar_type() == qkv.scalar_type() &&
                     (!query.defined() || query.scalar_type() == qkv.scalar_type());
  if (!plain) return composed(qkv, query, bias, scale);
  return HeadByHead::apply(qkv, query.defined() ? std::make_optional(query) : std::nullopt, bias, scale);
}

}  // namespace cxr
