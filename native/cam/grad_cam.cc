#include "cam/grad_cam.h"

#include <c10/util/StringUtil.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "nn/eval_mode.h"

namespace cxr {
namespace cam {
namespace {

constexpr double kEpsilon = 1e-7;

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
  throw invalidArgument("Expected a layer of the network for layer but received '" + layer +
                        "'; nearest of its " + std::to_string(total) + " layers: " + nearest);
}

/// The classes to explain as int64 [B].
at::Tensor chosenClasses(const at::Tensor& logits, const std::vector<int64_t>& classes) {
  if (classes.empty()) return logits.argmax(1);
  const int64_t batch = logits.size(0);
  const int64_t count = logits.size(1);
  if (classes.size() != 1 && static_cast<int64_t>(classes.size()) != batch) {
    throw invalidArgument("Expected one class, or one for each of the " + std::to_string(batch) +
                          " images, for classes but received " + std::to_string(classes.size()));
  }
  for (size_t i = 0; i < classes.size(); i++) {
    if (classes[i] >= 0 && classes[i] < count) continue;
    throw invalidArgument("Expected a class from 0 to " + std::to_string(count - 1) + " for classes[" +
                          std::to_string(i) + "] but received " + std::to_string(classes[i]));
  }
  const at::Tensor given = at::tensor(classes, at::kLong).to(logits.device());
  return classes.size() == 1 ? given.expand({batch}).contiguous() : given;
}

void checkImages(const at::Tensor& images) {
  if (images.dim() == 4 && images.numel() > 0) return;
  throw invalidShape("Expected [B, C, H, W], not empty, for images but received " + c10::str(images.sizes()));
}

}  // namespace

at::Tensor normalise(const at::Tensor& maps) {
  const at::Tensor above = maps - maps.amin({1, 2}, /*keepdim=*/true);
  return above / (above.amax({1, 2}, /*keepdim=*/true) + kEpsilon);
}

at::Tensor fromActivation(const at::Tensor& activation, const at::Tensor& gradient, int64_t height,
                          int64_t width) {
  if (activation.dim() != 4 || activation.numel() == 0) {
    throw invalidShape("Expected [B, K, h, w], not empty, for activation but received " +
                       c10::str(activation.sizes()));
  }
  if (gradient.sizes() != activation.sizes()) {
    throw invalidShape("Expected the activation's shape " + c10::str(activation.sizes()) +
                       " for gradient but received " + c10::str(gradient.sizes()));
  }
  const bool wide = activation.scalar_type() == at::kDouble;
  const at::Tensor a = activation.to(wide ? at::kDouble : at::kFloat);
  const at::Tensor g = gradient.to(a.device(), a.scalar_type());
  const at::Tensor weights = g.mean({2, 3}, /*keepdim=*/true);
  const at::Tensor raw = (weights * a).sum(1).relu();
  const at::Tensor resized =
      at::upsample_bilinear2d(normalise(raw).unsqueeze(1), {height, width}, /*align_corners=*/false)
          .squeeze(1);
  return normalise(resized.relu());
}

Explanation gradCam(Network& network, const at::Tensor& images, const std::string& layer,
                    const std::vector<int64_t>& classes) {
  const std::string name = layer.empty() ? network.camLayer() : layer;
  checkLayer(network, name);
  checkImages(images);

  const EvalMode eval(network);
  // The pass up to the layer leaves no graph; `cutAt` starts one there.
  const at::NoGradGuard noGrad;
  Taps taps;
  taps.cutAt(name);
  const at::Tensor logits = network.forward(images, taps);
  const at::Tensor values = logits.detach().to(at::kFloat);
  if (!values.isfinite().all().item<bool>()) {
    throw Error("ERR_NOT_FINITE",
                "Expected finite logits to explain but the network gave a NaN or an infinity");
  }
  const at::Tensor activation = taps.at(name);
  if (activation.dim() != 4) {
    throw invalidShape("Expected a layer that gives [B, K, h, w] for layer but '" + name + "' gives " +
                       c10::str(activation.sizes()));
  }
  const at::Tensor chosen = chosenClasses(values, classes);

  at::Tensor gradient;
  {
    // In eval mode a logit depends on its own image alone: the gradient of the sum holds each image's own.
    const at::AutoGradMode withGrad(true);
    const at::Tensor sum = logits.gather(1, chosen.unsqueeze(1)).sum();
    gradient = torch::autograd::grad({sum}, {activation}, /*grad_outputs=*/{}, /*retain_graph=*/false,
                                     /*create_graph=*/false, /*allow_unused=*/true)[0];
  }
  if (!gradient.defined()) {
    throw invalidArgument("Expected a layer that the logits depend on for layer but received '" + name + "'");
  }
  const at::Tensor maps = fromActivation(activation.detach(), gradient, images.size(2), images.size(3));
  return {maps.to(at::kFloat), values, chosen};
}

}  // namespace cam

void registerCam(Registry& registry) {
  registry.add("cam.fromActivation", 2, 2, [](const Options& options) -> Kernel {
    const int64_t height = options.integer("height");
    const int64_t width = options.integer("width");
    if (height < 1 || width < 1) {
      throw invalidArgument(
          c10::str("Expected at least 1 for height and width but received ", height, " and ", width));
    }
    return [height, width](const Tensors& in) -> Tensors {
      return {cam::fromActivation(in[0], in[1], height, width)};
    };
  });
}

void registerCam(NetworkRegistry& registry) {
  NetworkOperation operation;
  operation.inputs = 1;
  operation.outputs = [](const Options&) { return size_t{3}; };
  operation.prepare = [](const Options& options) -> NetworkKernel {
    const std::string layer = options.text("layer", "");
    const std::vector<int64_t> classes =
        options.has("classes") ? options.integers("classes") : std::vector<int64_t>();
    return [layer, classes](Network& network, const std::vector<at::Tensor>& in) -> std::vector<at::Tensor> {
      cam::Explanation result = cam::gradCam(network, in[0], layer, classes);
      return {result.maps, result.logits, result.classes};
    };
  };
  registry.addOperation("cam.gradCam", std::move(operation));
}

}  // namespace cxr
