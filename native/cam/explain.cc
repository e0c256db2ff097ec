#include "cam/explain.h"

#include <c10/util/StringUtil.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "nn/eval_mode.h"

namespace cxr::cam {
namespace {

/// Levenshtein distance, for offering the names nearest to a misspelt one.
size_t editDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); j++) row[j] = j;
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

void checkLayer(const Network& network, const std::string& layer) {
  std::vector<std::string> names = network.tapNames();
  if (std::find(names.begin(), names.end(), layer) != names.end()) return;
  std::stable_sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
    return editDistance(layer, a) < editDistance(layer, b);
  });
  const size_t total = names.size();
  names.resize(std::min<size_t>(total, 3));
  std::string nearest;
  for (const std::string& name : names) nearest += (nearest.empty() ? "'" : ", '") + name + "'";
  throw invalidArgument("Expected a layer of the network for layer but received '" + layer + "'; nearest of its " +
                        std::to_string(total) + " layers: " + nearest);
}

void checkClass(int64_t value, size_t index, int64_t count) {
  if (value >= 0 && value < count) return;
  throw invalidArgument("Expected a class from 0 to " + std::to_string(count - 1) + " for classes[" +
                        std::to_string(index) + "] but received " + std::to_string(value));
}

/// The gradient of the chosen logits by each activation. In eval mode a logit depends on its own image alone, so that
/// the gradient of the sum holds each image's own.
std::vector<at::Tensor> gradientsBy(const std::vector<at::Tensor>& activations, const at::Tensor& logits,
                                    const at::Tensor& classes, const std::vector<std::string>& layers, bool graph) {
  const at::AutoGradMode withGrad(true);
  const at::Tensor sum = logits.gather(1, classes.unsqueeze(1)).sum();
  const std::vector<at::Tensor> gradients = torch::autograd::grad(
      {sum}, activations, /*grad_outputs=*/{}, /*retain_graph=*/graph, /*create_graph=*/graph, /*allow_unused=*/true);
  for (size_t i = 0; i < gradients.size(); i++) {
    if (gradients[i].defined()) continue;
    throw invalidArgument("Expected a layer that the logits depend on for layer but received '" + layers[i] + "'");
  }
  return gradients;
}

}  // namespace

std::vector<std::string> layersOf(const Network& network, const Question& question) {
  const auto layers = question.layers.empty() ? std::vector<std::string>{network.camLayer()} : question.layers;
  for (const std::string& layer : layers) checkLayer(network, layer);
  return layers;
}

void checkImages(const at::Tensor& images) {
  if (images.dim() == 4 && images.numel() > 0) return;
  throw invalidShape("Expected [B, C, H, W], not empty, for images but received " + c10::str(images.sizes()));
}

at::Tensor chosenClasses(const at::Tensor& logits, const at::Tensor& given, const std::vector<int64_t>& classes) {
  if (!logits.isfinite().all().item<bool>()) {
    throw Error("ERR_NOT_FINITE", "Expected finite logits to explain but the network gave a NaN or an infinity");
  }
  const int64_t batch = logits.size(0);
  const int64_t count = logits.size(1);
  if (given.defined()) {
    if (!at::isIntegralType(given.scalar_type(), /*includeBool=*/false)) {
      throw Error("ERR_INVALID_DTYPE", "Expected int64 classes for classes");
    }
    if (given.dim() != 1 || given.size(0) != batch) {
      throw invalidShape("Expected [" + std::to_string(batch) + "] for classes, one for each image, but received " +
                         c10::str(given.sizes()));
    }
    const at::Tensor values = given.detach().to(at::kCPU, at::kLong).contiguous();
    for (int64_t i = 0; i < batch; i++) checkClass(values.const_data_ptr<int64_t>()[i], static_cast<size_t>(i), count);
    return values.to(logits.device());
  }
  if (classes.empty()) return logits.argmax(1);
  if (classes.size() != 1 && static_cast<int64_t>(classes.size()) != batch) {
    throw invalidArgument("Expected one class, or one for each of the " + std::to_string(batch) +
                          " images, for classes but received " + std::to_string(classes.size()));
  }
  for (size_t i = 0; i < classes.size(); i++) checkClass(classes[i], i, count);
  const at::Tensor chosen = at::tensor(classes, at::kLong).to(logits.device());
  return classes.size() == 1 ? chosen.expand({batch}).contiguous() : chosen;
}

at::Tensor explained(const Network& network, const std::string& layer, const at::Tensor& x, const at::Tensor& images) {
  const at::Tensor map = network.hasChannelsLast(layer) && x.dim() == 4
                             ? x.permute({0, 3, 1, 2})
                             : featureMap(x, images.size(2), images.size(3));
  if (map.dim() != 4) {
    throw invalidShape("Expected a layer that gives [B, K, h, w] or tokens [B, N, D] for layer but '" + layer + "' gives " +
                       c10::str(map.sizes()) + "; the default is '" + network.camLayer() + "'");
  }
  return map;
}

Explanation explain(Network& network, const at::Tensor& images, const at::Tensor& given, const Question& question,
                    Method method, bool differentiable, bool evaluation) {
  const std::vector<std::string> layers = layersOf(network, question);
  checkImages(images);
  const std::optional<EvalMode> mode = evaluation ? std::optional<EvalMode>(std::in_place, network) : std::nullopt;
  const bool graph = differentiable && at::GradMode::is_enabled();
  const at::AutoGradMode grad(graph);

  // Behind a pooled last layer the gradient is the head's weight, and no backward pass is needed.
  const at::Tensor head = layers.size() == 1 && layers[0] == network.camLayer() ? network.poolingHead() : at::Tensor();
  Taps taps(head.defined() ? layers : std::vector<std::string>{});
  if (!head.defined()) taps.differentiateBy(layers, /*cut=*/!graph);
  const at::Tensor output = network.forward(images, taps);
  const at::Tensor logits = output.to(output.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  const at::Tensor chosen = chosenClasses(logits.detach(), given, question.classes);

  std::vector<at::Tensor> activations;
  for (const std::string& layer : layers) activations.push_back(taps.at(layer));
  std::vector<at::Tensor> gradients;
  if (!head.defined()) gradients = gradientsBy(activations, logits, chosen, layers, graph);

  c10::GradMode::set_enabled(graph);  // `cut` has switched it on
  std::vector<at::Tensor> raw;
  RawMap single;
  for (size_t i = 0; i < layers.size(); i++) {
    at::Tensor a = explained(network, layers[i], activations[i], images);
    if (question.rectified) a = a.relu();
    if (head.defined()) {
      const at::Tensor weights = head.to(a.scalar_type()).index_select(0, chosen) / (a.size(2) * a.size(3));
      single = rawMapOfConstant(method, a, weights);
    } else {
      single = rawMap(method, a, explained(network, layers[i], gradients[i], images));
    }
    raw.push_back(single.raw);
  }
  const at::Tensor maps = toImage(raw, images.size(2), images.size(3));
  return {maps, graph ? logits : logits.detach(), chosen, layers.size() == 1 ? single : RawMap{}};
}

}  // namespace cxr::cam
