#include "nn/gaze_decoder.h"

#include <c10/core/impl/LocalDispatchKeySet.h>

namespace cxr {
namespace {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;

constexpr int64_t kCell = 32;  // pixels that one place of a level becomes
constexpr int64_t kChannels = 3;

/// [B, h, w, 3 s²] -> [B, 3, s h, s w]: channels count colour, row, column.
at::Tensor shuffle(const at::Tensor& x, int64_t side) {
  const int64_t batch = x.size(0), height = x.size(1), width = x.size(2);
  return x.view({batch, height, width, kChannels, side, side})
      .permute({0, 3, 1, 4, 2, 5})
      .reshape({batch, kChannels, height * side, width * side});
}

}  // namespace

GazeDecoder::GazeDecoder(int64_t width, int64_t halvings)
    : spread_(register_module("0", Conv2d(Conv2dOptions(width, kChannels * kCell * kCell, 1)))) {
  for (int64_t i = 0; i < halvings; ++i) {
    halvings_.push_back(register_module(std::to_string(2 * i + 2), Conv2d(Conv2dOptions(3, 3, 2).stride(2))));
  }
}

// No activation stands between the 1x1 convolution and the first halving, and a 2x2 window of stride 2 never leaves the
// cell of 32x32 pixels that one place of the level becomes: the two are one linear map to 3 · 16² channels. A quarter of
// the arithmetic, and the image of four (or sixteen) times the pixels is never made.
GazeDecoder::Affine GazeDecoder::folded() const {
  // A product of weights, not of activations: in full precision also under autocast.
  const c10::impl::ExcludeDispatchKeyGuard fullPrecision(c10::autocast_dispatch_keyset);
  const int64_t half = kCell / 2, width = spread_->weight.size(1);
  const auto kernel = halvings_[0]->weight.flatten(1);  // [3, 3 · 2 · 2]
  const auto windows = spread_->weight.view({kChannels, half, 2, half, 2, width})
                           .permute({0, 2, 4, 1, 3, 5})
                           .reshape({4 * kChannels, half * half * width});
  const auto offsets =
      spread_->bias.view({kChannels, half, 2, half, 2}).permute({0, 2, 4, 1, 3}).reshape({4 * kChannels, half * half});
  return {at::mm(kernel, windows).view({kChannels * half * half, width}),
          (at::mm(kernel, offsets) + halvings_[0]->bias.unsqueeze(1)).flatten()};
}

at::Tensor GazeDecoder::forward(const at::Tensor& x) {
  if (halvings_.empty()) return shuffle(at::linear(x, spread_->weight.flatten(1), spread_->bias), kCell);
  auto [weight, bias] = folded();
  constexpr int64_t half = kCell / 2, quarter = kCell / 4;
  if (halvings_.size() == 1) return shuffle(at::linear(x, weight, bias).relu_(), half);
  // Rows in the order of the second halving's windows, [row, column, (channel, 2, 2)]: it is one matrix product then.
  const auto ordered = [&](const at::Tensor& rows) {
    return rows.view({kChannels, quarter, 2, quarter, 2, -1}).permute({1, 3, 0, 2, 4, 5}).flatten(0, 4);
  };
  const auto y = at::linear(x, ordered(weight), ordered(bias).squeeze(1)).relu_();  // [B, h, w, 8 · 8 · 12]
  const int64_t batch = x.size(0), height = x.size(1), width = x.size(2);
  return at::linear(y.view({-1, 4 * kChannels}), halvings_[1]->weight.flatten(1), halvings_[1]->bias)
      .relu_()
      .view({batch, height, width, quarter, quarter, kChannels})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({batch, kChannels, height * quarter, width * quarter});
}

}  // namespace cxr
