#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "nn/gaze_decoder.h"
#include "nn/layers.h"
#include "nn/window_attention.h"
#include "test/check.h"

namespace cxr::test {
namespace {

void toDouble(torch::nn::Module& module) {
  for (auto& parameter : module.parameters()) parameter.set_data(parameter.detach().to(at::kDouble));
}

/// The largest |analytic - numeric| of the derivative of sum(weights · f()) along a few entries of `x`.
double gradientError(const std::function<at::Tensor()>& f, at::Tensor x) {
  const auto weights = at::randn(f().sizes(), at::kDouble);
  const auto value = [&] { return (f() * weights).sum(); };
  x.mutable_grad() = at::Tensor();
  torch::autograd::backward({value()}, {});
  const auto analytic = x.grad().clone().flatten();
  double worst = 0;
  at::NoGradGuard constant;
  auto entries = x.data().view(-1);
  for (int64_t i = 0; i < entries.numel(); i += std::max<int64_t>(entries.numel() / 12, 1)) {
    const double before = entries[i].item<double>(), step = 1e-6;
    const auto at = [&](double to) {
      entries[i].fill_(to);
      return value().item<double>();
    };
    const double numeric = (at(before + step) - at(before - step)) / (2 * step);
    entries[i].fill_(before);
    worst = std::max(worst, std::abs(numeric - analytic[i].item<double>()));
  }
  return worst;
}

const bool dropping = add("teacher: stochastic depth keeps samples whole, in the share and the scale it should", [] {
  at::manual_seed(7);
  const int64_t batch = 4000;
  const auto x = at::ones({batch * 2, 3});
  check(dropPath(x, batch, 0.3, false).is_same(x) && dropPath(x, batch, 0, true).is_same(x), "off is off");
  const auto y = dropPath(x, batch, 0.3, true).view({batch, 6});
  check((y == y.select(1, 0).unsqueeze(1)).all().item<bool>(), "rows of one sample differ");
  const auto kept = y.select(1, 0) > 0;
  check((y.select(1, 0).masked_select(kept) - 1 / 0.7).abs().max().item<double>() < 1e-6, "scale");
  const double share = kept.to(at::kDouble).mean().item<double>();
  check(std::abs(share - 0.7) < 4 * std::sqrt(0.21 / batch), "share kept " + std::to_string(share));
  at::manual_seed(7);
  check(at::equal(y, dropPath(x, batch, 0.3, true).view({batch, 6})), "the same seed");
  check(dropPathRate(0.2, 0, 31) == 0 && std::abs(dropPathRate(0.2, 30, 31) - 0.2) < 1e-15, "rates");
});

const bool attention = add("teacher: window attention, with and without gradients, local and global", [] {
  at::manual_seed(1);
  for (const bool global : {false, true}) {
    WindowAttention layer({/*width=*/8, /*heads=*/2, /*side=*/3, global});
    toDouble(layer);
    for (auto& parameter : layer.parameters()) {
      at::NoGradGuard constant;
      parameter.normal_();
    }
    auto x = at::randn({4, 9, 8}, at::kDouble).requires_grad_();
    auto query = at::randn({2, 2, 9, 4}, at::kDouble).requires_grad_();
    const auto f = [&] { return layer.forward(x, query); };
    const auto recorded = f().detach();
    {
      at::NoGradGuard constant;
      check((f() - recorded).abs().max().item<double>() < 1e-12, "the fused kernel differs");
    }
    // By hand, for one window, head and token: the fourth window is the second of the second image.
    at::NoGradGuard constant;
    const auto state = layer.named_parameters();
    const auto qkv = at::linear(x[3], state["qkv.weight"], state["qkv.bias"]).view({9, global ? 2 : 3, 2, 4});
    const auto part = [&](int64_t i) { return qkv.select(1, i).select(1, 1); };  // head 1
    const auto q = global ? query[1][1] : part(0);
    const auto bias = [&](int64_t i, int64_t j) {
      const int64_t index = (i / 3 - j / 3 + 2) * 5 + (i % 3 - j % 3 + 2);
      return state["relative_position_bias_table"][index][1].item<double>();
    };
    auto scores = at::matmul(part(global ? 0 : 1), q[4]) / 2;  // token 4, 1/√4
    for (int64_t j = 0; j < 9; ++j) scores[j] += bias(4, j);
    const auto mixed = at::matmul(scores.softmax(0), part(global ? 1 : 2));
    // The other head through the module itself, by putting the projection to the identity.
    state["proj.weight"].copy_(at::eye(8));
    state["proj.bias"].zero_();
    check((layer.forward(x, query)[3][4].slice(0, 4, 8) - mixed).abs().max().item<double>() < 1e-12, "by hand");
    c10::GradMode::set_enabled(true);
    check(gradientError(f, x) < 1e-6, "gradient of x");
    check(gradientError(f, state["relative_position_bias_table"]) < 1e-6, "gradient of the bias");
    check(gradientError(f, state["qkv.weight"]) < 1e-6, "gradient of qkv");
    if (global) check(gradientError(f, query) < 1e-6, "gradient of the query");
    // Gradients of gradients, as Grad-CAM losses need them.
    const auto slope = [&](bool create) {
      const at::AutoGradMode recording(true);
      return torch::autograd::grad({f().pow(3).sum()}, {x}, {}, /*retain_graph=*/create, create)[0];
    };
    check((slope(true) - slope(false)).abs().max().item<double>() < 1e-9, "createGraph changes the gradient");
    check(gradientError([&] { return slope(true) / 10; }, state["qkv.weight"]) < 1e-3, "second order");
  }
});

const bool decoders = add("teacher: folded decoders equal convolution, shuffle and convolutions", [] {
  at::manual_seed(2);
  for (const int64_t halvings : {0, 1, 2}) {
    GazeDecoder decoder(/*width=*/5, halvings);
    toDouble(decoder);
    const auto x = at::randn({2, 2, 3, 5}, at::kDouble);
    auto state = decoder.named_parameters();
    auto y = at::pixel_shuffle(at::conv2d(x.permute({0, 3, 1, 2}), state["0.weight"], state["0.bias"]), 32);
    for (const char* name : {"2", "4"}) {
      const std::string key = name;
      if (state.contains(key + ".weight")) y = at::conv2d(y, state[key + ".weight"], state[key + ".bias"], 2).relu();
    }
    const auto ours = decoder.forward(x);
    check(ours.sizes() == y.sizes(), "shape");
    check((ours - y).abs().max().item<double>() < 1e-12, "values");
    const auto gradients = [&](const at::Tensor& out) {
      decoder.zero_grad();
      torch::autograd::backward({out.square().sum()}, {});
      std::vector<at::Tensor> result;
      for (auto& item : state) result.push_back(item.value().grad().clone());
      return result;
    };
    const auto expected = gradients(y), found = gradients(ours);
    for (size_t i = 0; i < found.size(); ++i) {
      const double scale = expected[i].abs().max().item<double>();
      check((found[i] - expected[i]).abs().max().item<double>() < 1e-11 * scale, state.keys()[i]);
    }
  }
});

}  // namespace
}  // namespace cxr::test
