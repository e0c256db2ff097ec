#include "nn/model_handle.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "runtime/convert.h"

namespace cxr {
namespace {

constexpr napi_type_tag kModelTag{0x6378722d67617a65, 0x6d6f64656c303031};

struct ModelEnvironment {
  std::shared_ptr<const NetworkRegistry> registry;
  Napi::FunctionReference constructor;

  static ModelEnvironment& of(Napi::Env env) {
    return *std::static_pointer_cast<ModelEnvironment>(Environment::of(env).models);
  }
};

// Initial weights come from the default generator, which only the lane uses; it is put back, so that building a model
// changes no other draw.
std::shared_ptr<Network> build(const NetworkRegistry::Factory& factory, uint64_t seed) {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  struct Restore {
    at::Generator generator;
    at::Tensor before;
    ~Restore() { generator.set_state(before); }
  } restore{generator, generator.get_state()};
  generator.set_current_seed(seed);
  return factory();
}

class BuildJob : public Job {
 public:
  BuildJob(Call call, std::shared_ptr<ModelCell> model, NetworkRegistry::Factory factory, uint64_t seed,
           std::shared_ptr<Mailbox> mailbox)
      : call_(std::move(call)),
        model_(std::move(model)),
        factory_(std::move(factory)),
        seed_(seed),
        mailbox_(std::move(mailbox)) {}
  void run() noexcept override {
    try {
      model_->network = build(factory_, seed_);
    } catch (...) {
      model_->failure = currentFailure(call_, {}, mailbox_);
    }
  }

 private:
  Call call_;
  std::shared_ptr<ModelCell> model_;
  NetworkRegistry::Factory factory_;
  uint64_t seed_;
  std::shared_ptr<Mailbox> mailbox_;
};

Precondition needs(std::shared_ptr<ModelCell> model) {
  return [model] { return model->failure; };
}

// createModel(architecture, options, context) -> handle
Napi::Value createEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto& models = ModelEnvironment::of(env);
  const auto name = info[0].As<Napi::String>().Utf8Value();
  const Options options = toOptions(info[1]);
  auto factory = models.registry->architecture(name)(options);
  auto model = std::make_shared<ModelCell>();
  auto& environment = Environment::of(env);
  environment.post(std::make_unique<BuildJob>(toCall("createModel " + name, info[2]), model, std::move(factory),
                                              static_cast<uint64_t>(options.integer("seed", 0)),
                                              environment.mailbox()));
  return models.constructor.New({Napi::External<std::shared_ptr<ModelCell>>::New(env, &model)});
}

// runModel(model, operation, inputs, options, context) -> handles
Napi::Value runEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto model = ModelHandle::modelOf(info[0]);
  const auto name = info[1].As<Napi::String>().Utf8Value();
  const auto& operation = ModelEnvironment::of(env).registry->operation(name);
  auto inputs = TensorHandle::cellsOf(info[2]);
  if (inputs.size() > operation.inputs) throw invalidArgument("Too many tensors for model operation " + name);
  const Options options = toOptions(info[3]);
  auto kernel = operation.prepare(options);
  return enqueue(env, toCall("model." + name, info[4]), std::move(inputs), operation.outputs(options),
                 [model, kernel](const Tensors& in) { return kernel(*model->network, in); }, false, needs(model));
}

// askModel(model, query, inputs, options, context) -> promise of a reply
Napi::Value askEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto model = ModelHandle::modelOf(info[0]);
  const auto name = info[1].As<Napi::String>().Utf8Value();
  const auto& query = ModelEnvironment::of(env).registry->query(name);
  auto kernel = query.prepare(toOptions(info[3]));
  return ask(env, toCall("model." + name, info[4]), TensorHandle::cellsOf(info[2]),
             [model, kernel](const Tensors& in) { return kernel(*model->network, in); }, needs(model));
}

// A change that the lane makes in order. A failure becomes the model's own: whatever uses the model later fails with it.
class ChangeJob : public Job {
 public:
  ChangeJob(Call call, std::shared_ptr<ModelCell> model, NetworkQueryKernel kernel, std::shared_ptr<Mailbox> mailbox)
      : call_(std::move(call)), model_(std::move(model)), kernel_(std::move(kernel)), mailbox_(std::move(mailbox)) {}
  void run() noexcept override {
    if (model_->failure) return;
    try {
      CallGuard guard(call_);
      kernel_(*model_->network, {});
    } catch (...) {
      model_->failure = currentFailure(call_, {}, mailbox_);
    }
  }

 private:
  Call call_;
  std::shared_ptr<ModelCell> model_;
  NetworkQueryKernel kernel_;
  std::shared_ptr<Mailbox> mailbox_;
};

// changeModel(model, query, options, context)
Napi::Value changeEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto model = ModelHandle::modelOf(info[0]);
  const auto name = info[1].As<Napi::String>().Utf8Value();
  auto kernel = ModelEnvironment::of(env).registry->query(name).prepare(toOptions(info[2]));
  auto& environment = Environment::of(env);
  environment.post(std::make_unique<ChangeJob>(toCall("model." + name, info[3]), std::move(model), std::move(kernel),
                                               environment.mailbox()));
  return env.Undefined();
}

// disposeModel(model)
Napi::Value disposeEntry(const Napi::CallbackInfo& info) {
  if (info[0].IsObject() && info[0].As<Napi::Object>().CheckTypeTag(&kModelTag)) {
    auto model = ModelHandle::Unwrap(info[0].As<Napi::Object>())->release();
    if (model) releaseOnLane(*Environment::of(info.Env()).queue(), {std::move(model)});
  }
  return info.Env().Undefined();
}

}  // namespace

Napi::Function ModelHandle::define(Napi::Env env) { return DefineClass(env, "ModelHandle", {}); }

ModelHandle::ModelHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ModelHandle>(info) {
  if (info.Length() != 1 || !info[0].IsExternal()) {
    throw Napi::TypeError::New(info.Env(), "Model handles are made by createModel, not by `new`");
  }
  model_ = *info[0].As<Napi::External<std::shared_ptr<ModelCell>>>().Data();
  queue_ = Environment::of(info.Env()).queue();
  info.This().As<Napi::Object>().TypeTag(&kModelTag);
}

ModelHandle::~ModelHandle() {
  if (model_) releaseOnLane(*queue_, {std::move(model_)});
}

std::shared_ptr<ModelCell> ModelHandle::modelOf(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kModelTag)) {
    throw invalidArgument("Expected a Model");
  }
  auto model = ModelHandle::Unwrap(value.As<Napi::Object>())->model_;
  if (!model) throw Error("ERR_DISPOSED", "Expected a live Model but it has been disposed");
  return model;
}

void defineModelExports(Napi::Env env, Napi::Object exports, std::shared_ptr<const NetworkRegistry> registry) {
  auto models = std::make_shared<ModelEnvironment>();
  models->registry = std::move(registry);
  models->constructor = Napi::Persistent(ModelHandle::define(env));
  Environment::of(env).models = models;
  exports.Set("createModel", Napi::Function::New<guarded<createEntry>>(env, "createModel"));
  exports.Set("runModel", Napi::Function::New<guarded<runEntry>>(env, "runModel"));
  exports.Set("askModel", Napi::Function::New<guarded<askEntry>>(env, "askModel"));
  exports.Set("changeModel", Napi::Function::New<guarded<changeEntry>>(env, "changeModel"));
  exports.Set("disposeModel", Napi::Function::New<guarded<disposeEntry>>(env, "disposeModel"));
}

}  // namespace cxr
