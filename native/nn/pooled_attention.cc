#include "nn/pooled_attention.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

namespace cxr {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Heads {
  at::Tensor q, k, v;  ///< [B, heads, N or M, e]
};

Heads headsOf(const at::Tensor& q, const at::Tensor& kv) {
  return {q.transpose(1, 2), kv.select(2, 0).transpose(1, 2), kv.select(2, 1).transpose(1, 2)};
}

/// [B, heads, N, e] -> [B N, heads e]
at::Tensor rows(const at::Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0) * x.size(2), x.size(1) * x.size(3)});
}

/// Plain operations: LibTorch's fused kernels are differentiable once.
at::Tensor composed(const at::Tensor& query, const at::Tensor& kv) {
  const auto [q, k, v] = headsOf(query, kv);
  const double scale = 1 / std::sqrt(static_cast<double>(q.size(3)));
  return rows(at::matmul(at::matmul(q * scale, k.transpose(2, 3)).softmax(-1), v));
}

at::Tensor fused(const at::Tensor& query, const at::Tensor& kv) {
  const auto [q, k, v] = headsOf(query, kv);
  return rows(at::scaled_dot_product_attention(q, k, v));
}

bool hasFlash(const at::Tensor& q, const at::Tensor& kv) {
  return q.is_cpu() && q.scalar_type() == kv.scalar_type() && q.numel() > 0;
}

/// Fused in both directions, and by plain operations where the gradient itself is differentiated.
class Attend : public torch::autograd::Function<Attend> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& query, const at::Tensor& kv) {
    if (!hasFlash(query, kv)) {
      ctx->save_for_backward({query, kv});
      return fused(query, kv);
    }
    const auto [q, k, v] = headsOf(query, kv);
    auto [out, logsumexp] = at::_scaled_dot_product_flash_attention_for_cpu(q, k, v);
    ctx->save_for_backward({query, kv, out, logsumexp});
    return rows(out);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const auto &query = saved[0], &kv = saved[1];
    if (c10::GradMode::is_enabled()) {
      return torch::autograd::grad({composed(query, kv)}, {query, kv}, {gradients[0]}, /*retain_graph=*/true,
                                   /*create_graph=*/true, /*allow_unused=*/true);
    }
    const auto outward = gradients[0].contiguous().view(query.sizes());
    if (saved.size() == 2) return again(query, kv, outward);
    const auto [q, k, v] = headsOf(query, kv);
    const auto [toQ, toK, toV] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        outward.transpose(1, 2), q, k, v, saved[2], saved[3], /*dropout_p=*/0, /*is_causal=*/false);
    return {toQ.transpose(1, 2), at::stack({toK.transpose(1, 2), toV.transpose(1, 2)}, 2)};
  }

 private:
  // Where there is no kernel to call by name the forward pass is made again: a small part of a block's arithmetic.
  static variable_list again(const at::Tensor& query, const at::Tensor& kv, const at::Tensor& outward) {
    const at::AutoGradMode recording(true);
    const auto q = query.detach().requires_grad_(), pair = kv.detach().requires_grad_();
    const auto out = fused(q, pair);
    return torch::autograd::grad({out}, {q, pair}, {outward.view(out.sizes())});
  }
};

}  // namespace

at::Tensor attendPooled(const at::Tensor& q, const at::Tensor& kv) {
  return c10::GradMode::is_enabled() ? Attend::apply(q, kv) : fused(q, kv);
}

}  // namespace cxr
