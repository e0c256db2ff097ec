#include "cam/cam.h"

#include <c10/util/StringUtil.h>

#include "cam/explain.h"
#include "cam/maps.h"
#include "cam/score_cam.h"

namespace cxr {
namespace {

std::pair<int64_t, int64_t> sizeOf(const Options& options) {
  const int64_t height = options.integer("height");
  const int64_t width = options.integer("width");
  if (height < 1 || width < 1) {
    throw invalidArgument(
        c10::str("Expected at least 1 for height and width but received ", height, " and ", width));
  }
  return {height, width};
}

cam::Question questionOf(const Options& options) {
  cam::Question question;
  if (options.has("layers")) question.layers = options.texts("layers");
  if (options.has("classes")) question.classes = options.integers("classes");
  question.rectified = options.flag("rectified");
  return question;
}

/// The classes as a tensor, undefined where they were given as numbers or not at all.
at::Tensor givenClasses(const Tensors& in) { return in.size() > 1 ? in[1] : at::Tensor(); }

bool hasOneLayer(const Options& options) { return !options.has("layers") || options.texts("layers").size() == 1; }

cam::Method methodOf(const Options& options) { return cam::parseMethod(options.text("method", "gradcam")); }

/// images, and classes if they are a tensor -> maps, logits, classes; of a single layer raw, and weights of channels.
NetworkOperation explainOperation() {
  NetworkOperation operation;
  operation.inputs = 2;
  operation.outputs = [](const Options& options) -> size_t {
    if (!hasOneLayer(options)) return 3;
    return cam::weighsChannels(methodOf(options)) ? 5 : 4;
  };
  operation.prepare = [](const Options& options) -> NetworkKernel {
    const cam::Question question = questionOf(options);
    const cam::Method method = methodOf(options);
    const bool differentiable = options.flag("differentiable");
    const bool evaluation = options.flag("evaluation", true);
    return [=](Network& network, const Tensors& in) -> Tensors {
      const auto result =
          cam::explain(network, in[0], givenClasses(in), question, method, differentiable, evaluation);
      Tensors results{result.maps, result.logits, result.classes};
      if (result.raw.raw.defined()) results.push_back(result.raw.raw);
      if (result.raw.weights.defined()) results.push_back(result.raw.weights);
      return results;
    };
  };
  return operation;
}

/// images, and classes if they are a tensor -> activation, logits, classes, channels
NetworkOperation scoreSubjectOperation() {
  NetworkOperation operation;
  operation.inputs = 2;
  operation.outputs = [](const Options&) { return size_t{4}; };
  operation.prepare = [](const Options& options) -> NetworkKernel {
    const cam::Question question = questionOf(options);
    const int64_t topChannels = options.integer("topChannels", 0);
    return [=](Network& network, const Tensors& in) -> Tensors {
      const auto subject = cam::scoreSubject(network, in[0], givenClasses(in), question, topChannels);
      return {subject.activation, subject.logits, subject.classes, subject.channels};
    };
  };
  return operation;
}

/// images, activation, logits, classes, channels -> scores of the pairs `from` to `to` - 1
NetworkOperation channelScoresOperation() {
  NetworkOperation operation;
  operation.inputs = 5;
  operation.outputs = [](const Options&) { return size_t{1}; };
  operation.prepare = [](const Options& options) -> NetworkKernel {
    const int64_t from = options.integer("from");
    const int64_t to = options.integer("to");
    return [=](Network& network, const Tensors& in) -> Tensors {
      return {cam::channelScores(network, in[0], {in[1], in[2], in[3], in[4]}, from, to)};
    };
  };
  return operation;
}

}  // namespace

void registerCam(Registry& registry) {
  registry.add("cam.fromActivation", 2, 2, [](const Options& options) -> Kernel {
    const auto [height, width] = sizeOf(options);
    const cam::Method method = methodOf(options);
    return [=, height = height, width = width](const Tensors& in) -> Tensors {
      return {cam::fromActivation(method, in[0], in[1], height, width)};
    };
  });
  // activation, channels, scores -> maps, raw, weights
  registry.addMany("cam.fromScores", 3, 3, 3, [](const Options& options) -> Kernel {
    const auto [height, width] = sizeOf(options);
    return [height = height, width = width](const Tensors& in) -> Tensors {
      const cam::RawMap map = cam::fromScores(in[0], in[1], in[2]);
      return {cam::toImage({map.raw}, height, width), map.raw, map.weights};
    };
  });
}

void registerCam(NetworkRegistry& registry) {
  registry.addOperation("cam.explain", explainOperation());
  registry.addOperation("cam.scoreSubject", scoreSubjectOperation());
  registry.addOperation("cam.channelScores", channelScoresOperation());
}

}  // namespace cxr
