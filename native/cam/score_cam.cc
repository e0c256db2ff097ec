#include "cam/score_cam.h"

#include <algorithm>

#include "nn/eval_mode.h"

namespace cxr::cam {
namespace {

/// A constant channel is 0 everywhere rather than 0/0.
constexpr double kEpsilon = 1e-8;

}  // namespace

ScoreSubject scoreSubject(Network& network, const at::Tensor& images, const at::Tensor& given, const Question& question,
                          int64_t topChannels) {
  const std::vector<std::string> layers = layersOf(network, question);
  if (layers.size() != 1) throw invalidArgument("Expected one layer for ScoreCAM");
  checkImages(images);
  const EvalMode mode(network);
  const at::NoGradGuard noGrad;
  Taps taps(layers);
  at::Tensor logits = network.forward(images, taps);
  if (logits.scalar_type() != at::kDouble) logits = logits.to(at::kFloat);
  const at::Tensor chosen = chosenClasses(logits, given, question.classes);
  at::Tensor a = explained(network, layers[0], taps.at(layers[0]), images).contiguous();
  if (question.rectified) a = a.relu();
  const int64_t count = a.size(1);
  const int64_t kept = topChannels > 0 ? std::min(topChannels, count) : count;
  at::Tensor channels;
  if (kept == count) {
    channels = at::arange(count, chosen.options()).expand({a.size(0), count}).contiguous();
  } else {
    const at::Tensor spread = a.flatten(2).var(/*dim=*/at::IntArrayRef{2}, /*unbiased=*/false);
    channels = std::get<0>(std::get<1>(spread.topk(kept, 1)).sort(1));
  }
  return {a, logits, chosen, channels};
}

at::Tensor channelScores(Network& network, const at::Tensor& images, const ScoreSubject& subject, int64_t from, int64_t to) {
  const EvalMode mode(network);
  const at::NoGradGuard noGrad;
  const at::Tensor pairs = at::arange(from, to, subject.classes.options());
  const at::Tensor image = pairs.div(subject.channels.size(1), "floor");
  const at::Tensor channel = subject.channels.flatten().slice(0, from, to);
  at::Tensor masks = subject.activation.index({image, channel}).unsqueeze(1);  // [m, 1, h, w]
  masks = at::upsample_bilinear2d(masks, {images.size(2), images.size(3)}, /*align_corners=*/true);
  masks = masks - masks.amin({2, 3}, /*keepdim=*/true);
  masks = masks / (masks.amax({2, 3}, /*keepdim=*/true) + kEpsilon);
  Taps taps;
  const at::Tensor logits = network.forward(images.index_select(0, image) * masks.to(images.scalar_type()), taps);
  const at::Tensor wide = logits.to(subject.logits.scalar_type());
  return wide.gather(1, subject.classes.index_select(0, image).unsqueeze(1)).squeeze(1);
}

RawMap fromScores(const at::Tensor& activation, const at::Tensor& channels, const at::Tensor& scores) {
  const at::Tensor weights = scores.softmax(1).to(activation.scalar_type());
  const at::Tensor all = at::zeros({activation.size(0), activation.size(1)}, activation.options()).scatter(1, channels, weights);
  return {weightedSum(activation, all), all};
}

}  // namespace cxr::cam
