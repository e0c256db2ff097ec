#include "nn/window_attention.h"

#include <c10/core/GradMode.h>

#include <cmath>

#include "nn/layers.h"

namespace cxr {
namespace {

/// [s², s²]: (row_i - row_j + s - 1)(2s - 1) + (col_i - col_j + s - 1)
at::Tensor relativePositions(int64_t side) {
  const auto place = at::arange(side * side, at::kLong);
  const auto row = place.div(side, "floor");
  const auto column = place.remainder(side);
  const auto between = [&](const at::Tensor& x) { return x.unsqueeze(1) - x.unsqueeze(0) + (side - 1); };
  return between(row) * (2 * side - 1) + between(column);
}

}  // namespace

WindowAttention::WindowAttention(const WindowOptions& options) : options_(options) {
  const int64_t reach = 2 * options.side - 1;
  auto table = at::empty({reach * reach, options.heads});
  smallNormal(table);
  table_ = register_parameter("relative_position_bias_table", table);
  index_ = register_buffer("relative_position_index", relativePositions(options.side));
  qkv_ = register_module("qkv", smallLinear(options.width, (options.global ? 2 : 3) * options.width));
  proj_ = register_module("proj", smallLinear(options.width, options.width));
}

at::Tensor WindowAttention::bias() const {
  const int64_t tokens = options_.side * options_.side;
  return table_.index_select(0, index_.flatten()).view({tokens, tokens, options_.heads}).permute({2, 0, 1});
}

at::Tensor WindowAttention::forward(const at::Tensor& x, const at::Tensor& query) {
  const int64_t windows = x.size(0), tokens = x.size(1), heads = options_.heads, each = options_.width / heads;
  const int64_t parts = options_.global ? 2 : 3;
  const auto given = qkv_->forward(x).view({windows, tokens, parts, heads, each}).permute({2, 0, 3, 1, 4}).unbind(0);
  at::Tensor q;
  if (options_.global) {
    // Each window of an image is asked the same.
    q = query.unsqueeze(1)
            .expand({-1, windows / query.size(0), -1, -1, -1})
            .reshape({windows, heads, tokens, each});
  } else {
    q = given[0];
  }
  const double scale = 1 / std::sqrt(static_cast<double>(each));
  return proj_->forward(attend(q, given[parts - 2], given[parts - 1], bias(), scale));
}

at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& bias,
                  double scale) {
  at::Tensor out;
  if (c10::GradMode::is_enabled() && bias.requires_grad()) {
    // LibTorch's fused kernels give a mask no gradient.
    const int64_t count = q.size(0) * q.size(1), tokens = q.size(2);
    const auto rows = [&](const at::Tensor& x) { return x.reshape({count, tokens, -1}); };
    auto scores = at::bmm(rows(q * scale), rows(k).transpose(1, 2));  // [N heads, T, T]
    scores.view({q.size(0), q.size(1), tokens, tokens}).add_(bias.to(scores.scalar_type()));
    out = at::bmm(scores.softmax(-1), rows(v)).view(q.sizes());
  } else {
    out = at::scaled_dot_product_attention(q, k, v, bias.to(q.scalar_type()).unsqueeze(0).contiguous(), 0.0, false,
                                           scale);
  }
  return out.transpose(1, 2).flatten(2);
}

}  // namespace cxr
