#include "loss/classification.h"

#include "loss/checks.h"

namespace cxr::loss {
namespace {

at::Tensor weightedMean(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights) {
  if (logits.size(0) == 0) {
    throw invalidShape("Expected at least one row for logits but received [0, " +
                       std::to_string(logits.size(1)) + "]");
  }
  // Composed of functions that are differentiable any number of times.
  const at::Tensor negative = at::log_softmax(logits, 1).gather(1, labels.unsqueeze(1)).squeeze(1).neg();
  if (!weights.defined()) return negative.mean();
  const at::Tensor own = weights.index_select(0, labels);
  return (negative * own).sum() / own.sum();
}

}  // namespace

at::Tensor crossEntropy(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights) {
  const at::Tensor x = workingPrecision(logits, "logits");
  const at::Tensor y = checkedLabels(labels, x);
  return weightedMean(x, y, perClass(weights, x, "weights"));
}

at::Tensor ldam(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& margins,
                const at::Tensor& weights, double scale) {
  const at::Tensor x = workingPrecision(logits, "logits");
  const at::Tensor y = checkedLabels(labels, x);
  const at::Tensor own = perClass(margins, x, "margins").index_select(0, y).unsqueeze(1);
  const at::Tensor shift = at::zeros(x.sizes(), x.options()).scatter_(1, y.unsqueeze(1), own);
  return weightedMean((x - shift) * scale, y, perClass(weights, x, "weights"));
}

at::Tensor focal(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights,
                 double gamma) {
  const at::Tensor all = workingPrecision(logits, "logits");
  const at::Tensor allLabels = checkedLabels(labels, all, /*allowIgnored=*/true);
  const at::Tensor kept = allLabels.ne(kIgnoredLabel).nonzero().squeeze(1);
  // Nothing to learn from: zero, still tied to the logits so that backward() gives zeros.
  if (kept.size(0) == 0) return all.sum() * 0;

  const at::Tensor x = all.index_select(0, kept);
  const at::Tensor y = allLabels.index_select(0, kept);
  const at::Tensor logP = at::log_softmax(x, 1).gather(1, y.unsqueeze(1)).squeeze(1);
  at::Tensor loss = logP.neg();
  const at::Tensor alpha = perClass(weights, x, "weights");
  if (alpha.defined()) loss = loss * alpha.index_select(0, y);
  if (gamma != 0) {
    // 1 - p without cancellation. Below gamma = 2 a derivative of the power is infinite at zero, where the
    // loss itself is flat: the floor keeps infinity times zero out of the gradients.
    at::Tensor miss = logP.expm1().neg();
    if (gamma < 2) miss = miss.clamp_min(1e-12);
    loss = loss * miss.pow(gamma);
  }
  return loss.mean();
}

}  // namespace cxr::loss
