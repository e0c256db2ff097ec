#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/autograd.h>

#include <atomic>

#include "cam/explain.h"
#include "cam/score_cam.h"
#include "nn/network.h"
#include "nn/pvt.h"
#include "nn/resnet.h"
#include "nn/vgg.h"
#include "test/check.h"

namespace cxr::test {
namespace {

/// What a piece of work asks of the processor: layers computed, and layers that a backward pass goes through.
struct Passes {
  std::atomic<int> forward{0}, backward{0};
};

Passes* counted = nullptr;

std::unique_ptr<at::ObserverContext> count(const at::RecordFunction& function) {
  const std::string name = function.name();
  if (name == "aten::convolution") ++counted->forward;
  if (name == "aten::convolution_backward") ++counted->backward;
  return nullptr;
}

/// Convolutions computed by `work`, forward and backward.
std::pair<int, int> convolutionsOf(const std::function<void()>& work) {
  Passes passes;
  counted = &passes;
  const at::AutoGradMode recording(true);
  const auto handle = at::addGlobalCallback(at::RecordFunctionCallback(count).scopes({at::RecordScope::FUNCTION}));
  try {
    work();
  } catch (...) {
    at::removeCallback(handle);
    throw;
  }
  at::removeCallback(handle);
  return {passes.forward, passes.backward};
}

std::shared_ptr<Network> networkOf(const std::string& architecture) {
  NetworkRegistry registry;
  registerResNets(registry);
  registerPvts(registry);
  registerVgg(registry);
  Options options;
  options.set("classes", 3.0);
  if (architecture.rfind("pvt", 0) != 0) options.set("width", 8.0);
  if (architecture == "vgg16") options.set("dropout", 0.5);
  return registry.architecture(architecture)(options)();
}

void expect(const std::string& what, std::pair<int, int> found, std::pair<int, int> wanted) {
  const auto text = [](std::pair<int, int> n) {
    return std::to_string(n.first) + " convolutions forward, " + std::to_string(n.second) + " backward";
  };
  check(found == wanted, what + ": " + text(found) + " rather than " + text(wanted));
}

struct Subject {
  std::string architecture;
  int convolutions;   ///< in one forward pass
  std::string layer;  ///< a layer whose map needs a backward pass
  int behind;         ///< convolutions between it and the logits
};

/// At its default layer each has none behind it: ResNet's and PVT's is pooled into the head, VGG16's is its last
/// convolution.
const std::vector<Subject> subjects = {
    {"resnet18", 20, "layer3.1", 5}, {"vgg16", 13, "features.21", 3}, {"pvt_v2_b0", 12, "", 0}};

const bool maps = add("cam: one forward pass a batch, and a backward pass no longer than to the layer", [] {
  using cam::Method;
  at::manual_seed(3);
  for (const Subject& subject : subjects) {
    const auto network = networkOf(subject.architecture);
    for (const int64_t batch : {1, 3}) {
      const auto images = at::randn({batch, 3, 64, 64});
      for (const auto method : {Method::kGradCam, Method::kGradCamPlusPlus, Method::kHiResCam, Method::kLayerCam}) {
        const auto cost = [&](const std::vector<std::string>& layers, bool evaluation) {
          return convolutionsOf([&] { cam::explain(*network, images, {}, {layers, {1}}, method, false, evaluation); });
        };
        for (const bool evaluation : {true, false}) {
          expect(subject.architecture, cost({}, evaluation), {subject.convolutions, 0});
          if (subject.layer.empty()) continue;
          expect(subject.architecture + ", " + subject.layer, cost({subject.layer}, evaluation),
                 {subject.convolutions, subject.behind});
        }
      }
    }
  }
});

const bool closedForm = add("cam: a differentiable map of a pooled layer costs no backward pass either", [] {
  at::manual_seed(3);
  for (const std::string architecture : {"resnet18", "pvt_v2_b0"}) {
    const auto network = networkOf(architecture);
    const auto images = at::randn({2, 3, 64, 64});
    cam::Explanation explanation;
    const auto forward = convolutionsOf([&] {
      explanation = cam::explain(*network, images, {}, {{}, {1}}, cam::Method::kGradCam, true, false);
    });
    check(forward.second == 0 && explanation.maps.requires_grad(), architecture + ": closed form");
    const auto backward = convolutionsOf([&] { torch::autograd::backward({explanation.maps.sum()}, {}); });
    expect(architecture + ", its loss", backward, {0, forward.first});
  }
});

const bool scores = add("cam: ScoreCAM looks through many channels in one forward pass", [] {
  at::manual_seed(3);
  const auto network = networkOf("resnet18");
  const auto images = at::randn({2, 3, 64, 64});
  cam::ScoreSubject subject;
  expect("subject", convolutionsOf([&] { subject = cam::scoreSubject(*network, images, {}, {}, 5); }), {20, 0});
  expect("scores", convolutionsOf([&] { cam::channelScores(*network, images, subject, 0, 10); }), {20, 0});
});

}  // namespace
}  // namespace cxr::test
