#include "data_exports.h"

#include <ATen/ATen.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data_environment.h"
#include "gaze/heatmap.h"
#include "image/batch.h"
#include "image/pixel_file.h"
#include "image/resize.h"
#include "image/resize_opencv.h"
#include "image/resize_pillow.h"
#include "image/rotate.h"
#include "pixel_file_handle.h"
#include "runtime/guard.h"
#include "tensor/tensor_handle.h"

namespace cxr {
namespace {

/// `value[name]` as the typed array that lib/native.ts promises; what would let memory be overrun is checked
/// again.
template <typename Array>
Array typedArray(const Napi::Object& object, const char* name, napi_typedarray_type type, size_t length) {
  Napi::Value value = object.Get(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type ||
      value.As<Napi::TypedArray>().ElementLength() != length) {
    throw invalidArgument(std::string("Expected ") + std::to_string(length) +
                          " items of the right type for " + name);
  }
  return value.As<Array>();
}

Napi::Uint8Array pixelsOf(const Napi::Value& value, size_t length, const std::string& name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw invalidArgument("Expected a Uint8Array for " + name);
  }
  auto array = value.As<Napi::Uint8Array>();
  if (array.ElementLength() == length) return array;
  throw invalidArgument("Expected " + std::to_string(length) + " bytes for " + name + " but received " +
                        std::to_string(array.ElementLength()) +
                        (array.ElementLength() == 0 ? " (its buffer may have been transferred away)" : ""));
}

int sideOf(const Napi::Value& value, const std::string& name, int most) {
  const double side = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : 0;
  if (side >= 1 && side <= most && side == static_cast<int>(side)) return static_cast<int>(side);
  throw invalidArgument("Expected an integer from 1 to " + std::to_string(most) + " for " + name);
}

int channelsOf(const Napi::Value& value) {
  const double channels = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : 0;
  if (channels == 1 || channels == 3) return static_cast<int>(channels);
  throw invalidArgument("Expected 1 or 3 for channels");
}

using Resize = void (*)(const uint8_t*, int, int, int, uint8_t*, int, int);

Resize resizeOf(const Napi::Value& value) {
  const std::string name = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  if (name == "area") return image::resizeArea;
  if (name == "pillow-bilinear") return image::resizePillowBilinear;
  if (name == "opencv-bilinear") return image::resizeOpenCvBilinear;
  throw invalidArgument("Expected a known interpolation but received '" + name + "'");
}

// resize(pixels, width, height, channels, outWidth, outHeight, interpolation) -> promise of a Uint8Array
Napi::Value resizeEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int width = sideOf(info[1], "width", image::kMaxSide);
  const int height = sideOf(info[2], "height", image::kMaxSide);
  const int channels = channelsOf(info[3]);
  const int outWidth = sideOf(info[4], "outWidth", image::kMaxSide);
  const int outHeight = sideOf(info[5], "outHeight", image::kMaxSide);
  const Resize resize = resizeOf(info[6]);
  auto pixels = pixelsOf(info[0], static_cast<size_t>(width) * height * channels, "pixels");
  const uint8_t* source = pixels.Data();
  std::vector<Napi::ObjectReference> inputs;
  inputs.push_back(Napi::Persistent(pixels.As<Napi::Object>()));
  return DataEnvironment::of(env).submit(env, std::move(inputs), [=]() -> DataEnvironment::Result {
    auto resized =
        std::make_shared<std::vector<uint8_t>>(static_cast<size_t>(outWidth) * outHeight * channels);
    resize(source, width, height, channels, resized->data(), outWidth, outHeight);
    return [resized](Napi::Env env) -> Napi::Value {
      auto array = Napi::Uint8Array::New(env, resized->size());
      std::memcpy(array.Data(), resized->data(), resized->size());
      return array;
    };
  });
}

// openPixelFile(path, bytes) -> handle
Napi::Value openPixelFileEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const auto path = info[0].As<Napi::String>().Utf8Value();
  const auto bytes = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
  std::shared_ptr<const image::PixelFile> file = std::make_shared<image::PixelFile>(path, bytes);
  return DataEnvironment::of(env).pixelFileClass().New(
      {Napi::External<std::shared_ptr<const image::PixelFile>>::New(env, &file)});
}

/// The members of the batch that `assembleBatch` is asked for.
std::vector<image::BatchItem> itemsOf(const Napi::Object& spec, size_t area,
                                      std::vector<Napi::ObjectReference>& inputs) {
  auto sources = spec.Get("sources").As<Napi::Array>();
  const size_t count = sources.Length();
  auto offsets = typedArray<Napi::Float64Array>(spec, "offsets", napi_float64_array, count);
  auto channels = typedArray<Napi::Uint8Array>(spec, "channels", napi_uint8_array, count);
  auto flips = typedArray<Napi::Uint8Array>(spec, "flips", napi_uint8_array, count);
  auto angles = typedArray<Napi::Float64Array>(spec, "angles", napi_float64_array, count);
  std::vector<image::BatchItem> items(count);
  for (uint32_t i = 0; i < count; ++i) {
    Napi::Value source = sources.Get(i);
    image::BatchItem& item = items[i];
    item.channels = channels[i];
    if (item.channels != 1 && item.channels != 3) throw invalidArgument("Expected 1 or 3 for channels");
    item.flip = flips[i] != 0;
    item.angle = angles[i];
    if (PixelFileHandle::is(source)) {
      item.file = PixelFileHandle::fileOf(source);
      if (!(offsets[i] >= 0 && offsets[i] <= 9007199254740991.0))
        throw invalidArgument("Expected an offset in the file");
      item.offset = static_cast<uint64_t>(offsets[i]);
    } else {
      auto pixels = pixelsOf(source, area * item.channels, "sources[" + std::to_string(i) + "]");
      item.memory = pixels.Data();
      inputs.push_back(Napi::Persistent(pixels.As<Napi::Object>()));
    }
  }
  return items;
}

/// A handle of a uint8 tensor [B, H, W, C] on the bytes as they are: no copy.
Napi::Value toHandle(Napi::Env env, const std::shared_ptr<image::Batch>& batch, int width, int height) {
  const int64_t perImage = static_cast<int64_t>(width) * height * batch->channels;
  const int64_t images = static_cast<int64_t>(batch->pixels.size()) / perImage;
  auto& tensors = TensorEnvironment::of(env);
  auto cell = tensors.makeCell();
  cell->fill(at::from_blob(
      batch->pixels.data(), {images, height, width, batch->channels}, [batch](void*) {}, at::kByte));
  tensors.reportMemory(env);
  return tensors.wrap(env, std::move(cell));
}

// assembleBatch({width, height, sources, offsets, channels, flips, angles}) -> promise of a tensor handle
Napi::Value assembleBatchEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto spec = info[0].As<Napi::Object>();
  const int width = sideOf(spec.Get("width"), "width", image::kMaxRotatedSide);
  const int height = sideOf(spec.Get("height"), "height", image::kMaxRotatedSide);
  std::vector<Napi::ObjectReference> inputs;
  auto items = std::make_shared<std::vector<image::BatchItem>>(
      itemsOf(spec, static_cast<size_t>(width) * height, inputs));
  return DataEnvironment::of(env).submit(env, std::move(inputs), [=]() -> DataEnvironment::Result {
    auto batch = std::make_shared<image::Batch>(image::assembleBatch(*items, width, height));
    return [=](Napi::Env env) { return toHandle(env, batch, width, height); };
  });
}

/// What `renderHeatmaps` is asked for; the arrays are held by the promise.
struct HeatmapJob {
  std::vector<gaze::Points> points;
  std::vector<gaze::HeatmapOptions> options;
};

HeatmapJob heatmapJobOf(const Napi::Object& spec, std::vector<Napi::ObjectReference>& inputs) {
  HeatmapJob job;
  Napi::Value counted = spec.Get("counts");
  if (!counted.IsTypedArray() || counted.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array)
    throw invalidArgument("Expected a Uint32Array for counts");
  auto counts = counted.As<Napi::Uint32Array>();
  const size_t maps = counts.ElementLength();
  size_t total = 0;
  for (size_t m = 0; m < maps; ++m) total += counts[m];
  const auto array = [&](const char* name, size_t length) {
    auto found = typedArray<Napi::Float64Array>(spec, name, napi_float64_array, length);
    inputs.push_back(Napi::Persistent(found.As<Napi::Object>()));
    return static_cast<const double*>(found.Data());
  };
  const double* x = array("x", total);
  const double* y = array("y", total);
  const double* weight = array("weight", total);
  const double* sigmaRows = array("sigmaRows", maps);
  const double* sigmaColumns = array("sigmaColumns", maps);
  gaze::HeatmapOptions common{};
  common.height = sideOf(spec.Get("height"), "height", gaze::kMaxMapSide);
  common.width = sideOf(spec.Get("width"), "width", gaze::kMaxMapSide);
  common.original = spec.Get("original").ToBoolean();
  common.anchors = spec.Get("anchors").ToBoolean();
  common.scaleToOne = spec.Get("scaleToOne").ToBoolean();
  size_t at = 0;
  for (size_t m = 0; m < maps; ++m) {
    common.sigmaRows = sigmaRows[m];
    common.sigmaColumns = sigmaColumns[m];
    job.options.push_back(common);
    job.points.push_back({x + at, y + at, weight + at, counts[m]});
    at += counts[m];
  }
  return job;
}

// renderHeatmaps({height, width, counts, x, y, weight, sigmaRows, sigmaColumns, original, anchors, scaleToOne})
//   -> promise of a list of Float32Arrays
Napi::Value renderHeatmapsEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::vector<Napi::ObjectReference> inputs;
  auto job = std::make_shared<const HeatmapJob>(heatmapJobOf(info[0].As<Napi::Object>(), inputs));
  return DataEnvironment::of(env).submit(env, std::move(inputs), [job]() -> DataEnvironment::Result {
    auto maps = std::make_shared<std::vector<std::unique_ptr<float[]>>>();
    const auto areaOf = [](const gaze::HeatmapOptions& options) {
      return static_cast<size_t>(options.height) * options.width;
    };
    for (size_t m = 0; m < job->points.size(); ++m) {
      maps->push_back(std::make_unique_for_overwrite<float[]>(areaOf(job->options[m])));
      gaze::renderHeatmap(job->points[m], job->options[m], maps->back().get());
    }
    return [job, maps, areaOf](Napi::Env env) -> Napi::Value {
      auto list = Napi::Array::New(env, maps->size());
      for (uint32_t m = 0; m < maps->size(); ++m) {
        const size_t area = areaOf(job->options[m]);
        auto array = Napi::Float32Array::New(env, area);
        std::memcpy(array.Data(), (*maps)[m].get(), area * sizeof(float));
        (*maps)[m].reset();  // one map less in memory twice
        list.Set(m, array);
      }
      return list;
    };
  });
}

// setDataThreads(count)
Napi::Value setDataThreadsEntry(const Napi::CallbackInfo& info) {
  DataLane::instance().setThreads(sideOf(info[0], "threads", DataLane::kMaxThreads));
  return info.Env().Undefined();
}

// dataThreads() -> number
Napi::Value dataThreadsEntry(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), DataLane::instance().threads());
}

// pendingDataJobs() -> number
Napi::Value pendingDataJobsEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return Napi::Number::New(env, static_cast<double>(DataEnvironment::of(env).pending()));
}

}  // namespace

void defineDataExports(Napi::Env env, Napi::Object exports) {
  Environment::of(env).dataLane = std::make_shared<DataEnvironment>(env);
  exports.Set("resize", Napi::Function::New<guarded<resizeEntry>>(env, "resize"));
  exports.Set("openPixelFile", Napi::Function::New<guarded<openPixelFileEntry>>(env, "openPixelFile"));
  exports.Set("assembleBatch", Napi::Function::New<guarded<assembleBatchEntry>>(env, "assembleBatch"));
  exports.Set("renderHeatmaps", Napi::Function::New<guarded<renderHeatmapsEntry>>(env, "renderHeatmaps"));
  exports.Set("setDataThreads", Napi::Function::New<guarded<setDataThreadsEntry>>(env, "setDataThreads"));
  exports.Set("dataThreads", Napi::Function::New<guarded<dataThreadsEntry>>(env, "dataThreads"));
  exports.Set("pendingDataJobs", Napi::Function::New<guarded<pendingDataJobsEntry>>(env, "pendingDataJobs"));
}

}  // namespace cxr
