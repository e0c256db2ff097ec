#include "loss/losses.h"

#include <c10/util/StringUtil.h>

#include <cmath>

#include "loss/attention.h"
#include "loss/classification.h"
#include "loss/distillation.h"
#include "loss/localisation.h"
#include "loss/mixup.h"
#include "loss/segmentation.h"

namespace cxr {
namespace {

double finite(const Options& options, const std::string& name, double fallback, double low, double high) {
  const double value = options.number(name, fallback);
  if (std::isfinite(value) && value >= low && value <= high) return value;
  throw invalidArgument(
      c10::str("Expected a finite number from ", low, " to ", high, " for ", name, " but received ", value));
}

double lambdaOf(const Options& options) {
  options.number("lambda");
  return finite(options, "lambda", 0, 0, 1);
}

/// The input at `index`, undefined where it was left out.
at::Tensor optionalInput(const Tensors& inputs, size_t index) {
  return index < inputs.size() ? inputs[index] : at::Tensor();
}

Kernel crossEntropyKernel(const Options&) {
  return
      [](const Tensors& in) -> Tensors { return {loss::crossEntropy(in[0], in[1], optionalInput(in, 2))}; };
}

Kernel ldamKernel(const Options& options) {
  const double scale = finite(options, "scale", 30, 1e-12, 1e12);
  return [scale](const Tensors& in) -> Tensors {
    return {loss::ldam(in[0], in[1], in[2], optionalInput(in, 3), scale)};
  };
}

Kernel focalKernel(const Options& options) {
  const double gamma = finite(options, "gamma", 2, 0, 1e3);
  return [gamma](const Tensors& in) -> Tensors {
    return {loss::focal(in[0], in[1], optionalInput(in, 2), gamma)};
  };
}

Kernel distillationKernel(const Options& options) {
  const std::vector<double> shares = options.numbers("shares");
  const bool terms = options.flag("terms");
  return [shares, terms](const Tensors& in) -> Tensors {
    if (in.size() != shares.size() + 1) {
      throw invalidArgument("Expected " + std::to_string(in.size() - 1) +
                            " numbers, one for each teacher, for shares " + "but received " +
                            std::to_string(shares.size()));
    }
    Tensors results = loss::distillation(in, shares);
    if (!terms) results.resize(1);
    return results;
  };
}

Kernel attentionKernel(const Options& options) {
  const std::string reduction = options.text("reduction", "mean");
  if (reduction != "mean" && reduction != "sum") {
    throw invalidArgument("Expected one of 'mean', 'sum' for reduction but received '" + reduction + "'");
  }
  const bool sumPositions = reduction == "sum";
  return
      [sumPositions](const Tensors& in) -> Tensors { return {loss::attention(in[0], in[1], sumPositions)}; };
}

loss::Localisation localisationOf(const Options& options) {
  loss::Localisation result;
  for (const std::string& name : options.texts("regions")) result.regions.push_back(loss::parseRegion(name));
  result.threshold = finite(options, "threshold", 0.3, 0, 1);
  result.width = options.integer("width", 0);
  result.height = options.integer("height", 0);
  return result;
}

// maps, boxes, labels -> attention, whether the region was empty
Kernel publishedAttentionKernel(const Options& options) {
  const loss::Localisation settings = localisationOf(options);
  return [settings](const Tensors& in) -> Tensors {
    return loss::publishedAttention(in[0], in[1], in[2], settings);
  };
}

// maps, boxes, labels -> attention, outside, whether the region was empty
Kernel softAttentionKernel(const Options& options) {
  const loss::Localisation settings = localisationOf(options);
  const double tau = finite(options, "tau", 0.1, 1e-6, 1e6);
  return [settings, tau](const Tensors& in) -> Tensors {
    return loss::softAttention(in[0], in[1], in[2], settings, tau);
  };
}

Kernel mixupKernel(const Options& options) {
  const double lambda = lambdaOf(options);
  const std::vector<int64_t> permutation = options.integers("permutation");
  std::vector<bool> seen(permutation.size(), false);
  for (int64_t index : permutation) {
    if (index < 0 || index >= static_cast<int64_t>(seen.size()) || seen[index]) {
      throw invalidArgument(c10::str("Expected each of 0 to ", seen.size() - 1,
                                     " exactly once for permutation but received ", permutation));
    }
    seen[index] = true;
  }
  return [lambda, permutation](const Tensors& in) -> Tensors {
    return {loss::mixup(in[0], permutation, lambda)};
  };
}

Kernel balancedMixupKernel(const Options& options) {
  const double lambda = lambdaOf(options);
  return [lambda](const Tensors& in) -> Tensors { return {loss::balancedMixup(in[0], in[1], lambda)}; };
}

// logits, targets
Kernel segmentationKernel(const Options& options) {
  const double smooth = finite(options, "smooth", 1, 0, 1e12);
  return [smooth](const Tensors& in) -> Tensors { return {loss::segmentation(in[0], in[1], smooth)}; };
}

}  // namespace

void registerLosses(Registry& registry) {
  registry.add("loss.crossEntropy", 2, 3, crossEntropyKernel);
  registry.add("loss.ldam", 3, 4, ldamKernel);
  registry.add("loss.focal", 2, 3, focalKernel);
  registry.addVariable(
      "loss.distillation", 2, Registry::kAnyNumber,
      [](size_t inputs, const Options& options) { return options.flag("terms") ? inputs : size_t{1}; },
      distillationKernel);
  registry.add("loss.attention", 2, 2, attentionKernel);
  registry.addMany("loss.publishedAttention", 3, 3, 2, publishedAttentionKernel);
  registry.addMany("loss.softAttention", 3, 3, 3, softAttentionKernel);
  registry.add("loss.segmentation", 2, 2, segmentationKernel);
  registry.add("loss.mixup", 1, 1, mixupKernel);
  registry.add("loss.balancedMixup", 2, 2, balancedMixupKernel);
}

}  // namespace cxr
