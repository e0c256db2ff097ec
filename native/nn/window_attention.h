// Attention within windows, with a relative position bias: GC ViT's local and global blocks.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/modules/linear.h>

namespace cxr {

struct WindowOptions {
  int64_t width;
  int64_t heads;
  int64_t side;  ///< of a window, s
  bool global;   ///< the query comes from the level, not from the window
};

/// Keys `relative_position_bias_table`, `relative_position_index` (int64, a buffer), `qkv`, `proj`.
class WindowAttention : public torch::nn::Module {
 public:
  explicit WindowAttention(const WindowOptions& options);
  /// @param x [B n, s², C], the windows of an image one after another
  /// @param query [B, heads, s², C / heads]: used by global blocks
  at::Tensor forward(const at::Tensor& x, const at::Tensor& query);

 private:
  at::Tensor bias() const;  ///< [heads, s², s²]

  WindowOptions options_;
  at::Tensor table_, index_;
  torch::nn::Linear qkv_{nullptr};
  torch::nn::Linear proj_{nullptr};
};

/// softmax(scale q kᵀ + bias) v of each head.
/// @param qkv [N, T, 3 or 2, heads, e]: q, k, v, or k, v where `query` gives q
/// @param query undefined, or [B, heads, T, e]: one for the N / B successive windows of an image
/// @param bias [heads, T, T]
/// @returns [N, T, heads e]
at::Tensor attend(const at::Tensor& qkv, const at::Tensor& query, const at::Tensor& bias, double scale);

}  // namespace cxr
