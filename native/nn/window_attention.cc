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
  // Not index_select, whose gradient adds row by row, each through an operation of its own.
  return table_.index({index_.flatten()}).view({tokens, tokens, options_.heads}).permute({2, 0, 1});
}

at::Tensor WindowAttention::forward(const at::Tensor& x, const at::Tensor& query) {
  const int64_t heads = options_.heads, each = options_.width / heads;
  const auto qkv = qkv_->forward(x).view({x.size(0), x.size(1), options_.global ? 2 : 3, heads, each});
  const double scale = 1 / std::sqrt(static_cast<double>(each));
  return proj_->forward(attend(qkv, options_.global ? query : at::Tensor(), bias(), scale));
}

}  // namespace cxr
