#include "nn/gaze_teacher.h"

#include <ATen/autocast_mode.h>
#include <c10/util/StringUtil.h>
#include <torch/nn/modules/linear.h>

#include <optional>

#include "nn/eval_mode.h"
#include "nn/gaze_decoder.h"
#include "nn/gaze_encoder.h"
#include "tensor/failure.h"

namespace cxr {
namespace {

constexpr int64_t kEmbedding = 64;
using Maps = std::array<at::Tensor, GazeEncoder::kLevels>;
constexpr std::array<int64_t, GazeEncoder::kLevels> kHalvings{2, 1, 0, 0};

/// What the authors' weight files hold: keys `BRANCH_encoder`, `BRANCH_decoder` (unused), `BRANCH_decoder_0` .. `_3`.
class GazeBlock : public torch::nn::Module {
 public:
  GazeBlock(const std::string& branch, std::shared_ptr<GazeEncoder> encoder)
      : encoder_(register_module(branch + "_encoder", std::move(encoder))) {
    const auto widths = encoder_->widths();
    register_module(branch + "_decoder", std::make_shared<GazeDecoder>(widths[3], 0));
    for (size_t i = 0; i < decoders_.size(); ++i) {
      decoders_[i] = register_module(branch + "_decoder_" + std::to_string(i),
                                     std::make_shared<GazeDecoder>(widths[i], kHalvings[i]));
    }
  }

  GazeEncoder& encoder() { return *encoder_; }

  /// Each map adds to the one before; all are [B, 3, 224, 224].
  Maps maps(const std::array<at::Tensor, GazeEncoder::kLevels>& levels) {
    Maps maps;
    for (size_t i = 0; i < maps.size(); ++i) {
      maps[i] = decoders_[i]->forward(levels[i]);
      if (i > 0) maps[i].add_(maps[i - 1]);
    }
    return maps;
  }

 private:
  std::shared_ptr<GazeEncoder> encoder_;
  std::array<std::shared_ptr<GazeDecoder>, GazeEncoder::kLevels> decoders_;
};

class GazeTeacher : public Network {
 public:
  GazeTeacher(const std::string& branch, std::shared_ptr<GazeEncoder> encoder)
      : block_(register_module(branch + "_encoder_x", std::make_shared<GazeBlock>(branch, std::move(encoder)))),
        linear_(register_module(branch + "_linear",
                                torch::nn::Linear(block_->encoder().widths().back(), kEmbedding))) {}

  /// The embedding [B, 64]; decoders run only where a map is tapped.
  at::Tensor forward(const at::Tensor& images, Taps& taps) override {
    const auto levels = block_->encoder().levels(checked(images), taps);
    const auto features = taps("features", block_->encoder().features(levels.back()));
    bool wantsMaps = false;
    for (size_t i = 0; i < levels.size(); ++i) wantsMaps |= taps.wants(mapName(i));
    if (wantsMaps) {
      const auto maps = block_->maps(levels);
      for (size_t i = 0; i < maps.size(); ++i) taps(mapName(i), maps[i]);
    }
    return linear_->forward(features.mean({1, 2}));
  }

  /// The four maps alone, in float32 or float64.
  std::vector<at::Tensor> maps(const at::Tensor& images) {
    Taps taps;
    std::vector<at::Tensor> results;
    for (const auto& map : block_->maps(block_->encoder().levels(checked(images), taps))) {
      const bool wide = map.scalar_type() == at::kFloat || map.scalar_type() == at::kDouble;
      results.push_back(wide ? map : map.to(at::kFloat));
    }
    return results;
  }

  std::vector<std::string> tapNames() const override {
    return {"level0", "level1", "level2", "level3", "features", "map0", "map1", "map2", "map3"};
  }

  /// None: there is no class to explain, and the feature maps are channels-last.
  std::string camLayer() const override { return ""; }

 private:
  static std::string mapName(size_t i) { return "map" + std::to_string(i); }

  // Windows and queries fit one size alone.
  at::Tensor checked(const at::Tensor& images) const {
    constexpr int64_t side = GazeEncoder::kSize;
    if (images.dim() != 4 || images.size(0) == 0 || images.size(1) != 3 || images.size(2) != side ||
        images.size(3) != side) {
      throw invalidShape("Expected [B, 3, 224, 224], not empty, for images but received " + c10::str(images.sizes()));
    }
    const auto own = linear_->weight.scalar_type();
    const bool casts = at::autocast::is_autocast_enabled(images.device().type());
    if (!images.is_floating_point() || (!casts && images.scalar_type() != own)) {
      throw Error("ERR_INVALID_DTYPE", "Expected " + dtypeName(own) + ", as the weights are, for images but received " +
                                           dtypeName(images.scalar_type()));
    }
    return images;
  }

  std::shared_ptr<GazeBlock> block_;
  torch::nn::Linear linear_;
};

void add(NetworkRegistry& registry, const std::string& branch, std::shared_ptr<GazeEncoder> (*encoder)(double)) {
  registry.addArchitecture(branch + "-teacher", [=](const Options& options) -> NetworkRegistry::Factory {
    const double dropPath = options.number("dropPath");
    if (!(dropPath >= 0 && dropPath < 1)) throw invalidArgument("Expected at least 0 and below 1 for dropPath");
    return [=] { return std::make_shared<GazeTeacher>(branch, encoder(dropPath)); };
  });
}

NetworkKernel maps(const Options& options) {
  const bool evaluation = options.flag("evaluation", false);
  return [=](Network& network, const std::vector<at::Tensor>& in) {
    auto* teacher = dynamic_cast<GazeTeacher*>(&network);
    if (teacher == nullptr) throw invalidArgument("Expected a teacher for maps");
    std::optional<EvalMode> mode;
    if (evaluation) mode.emplace(network);
    return teacher->maps(in[0]);
  };
}

}  // namespace

void registerGazeTeachers(NetworkRegistry& registry) {
  add(registry, "global", makeGcVit);
  add(registry, "focal", makeFocalNet);
  registry.addOperation("maps", {1, [](const Options&) { return GazeEncoder::kLevels; }, maps});
}

}  // namespace cxr
