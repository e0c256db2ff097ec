#include "optim/optimizer_handle.h"

#include <map>

#include "runtime/convert.h"

namespace cxr {
namespace {

constexpr napi_type_tag kOptimizerTag{0x6378722d67617a65, 0x6f7074696d303031};

using OptimizerKernel = std::function<Reply(Optimizer&, const Tensors&)>;

Reply readState(Optimizer& optimizer, const Tensors&) {
  Reply reply;
  for (size_t i = 0; i < optimizer.size(); ++i) {
    for (auto& [name, tensor] : optimizer.state(i)) {
      reply.texts.push_back(name);
      reply.numbers.push_back(static_cast<double>(i));
      reply.tensors.push_back(tensor);
    }
  }
  return reply;
}

// One tensor for each of `names` and `indices`.
OptimizerKernel loadState(const Options& options) {
  const auto names = options.texts("names");
  const auto indices = options.integers("indices");
  return [=](Optimizer& optimizer, const Tensors& in) {
    if (names.size() != in.size() || indices.size() != in.size()) throw invalidArgument("Expected one tensor a name");
    std::map<int64_t, NamedState> byParameter;
    for (size_t i = 0; i < in.size(); ++i) byParameter[indices[i]].emplace_back(names[i], in[i]);
    for (auto& [index, state] : byParameter) {
      if (index < 0 || static_cast<size_t>(index) >= optimizer.size()) {
        throw Error("ERR_STATE_DICT", "Optimizer state for parameter " + std::to_string(index) + " of " +
                                          std::to_string(optimizer.size()));
      }
      optimizer.checkState(static_cast<size_t>(index), state);
    }
    for (auto& [index, state] : byParameter) optimizer.loadState(static_cast<size_t>(index), state);
    return Reply{};
  };
}

OptimizerKernel prepareQuery(const std::string& name, const Options& options) {
  if (name == "step") {
    return [](Optimizer& optimizer, const Tensors&) {
      optimizer.step();
      return Reply{};
    };
  }
  if (name == "zeroGrad") {
    return [](Optimizer& optimizer, const Tensors&) {
      optimizer.zeroGrad();
      return Reply{};
    };
  }
  if (name == "learningRate") {
    const bool set = options.has("value");
    const double value = options.number("value", 0);
    return [=](Optimizer& optimizer, const Tensors&) {
      if (set) optimizer.setLearningRate(value);
      Reply reply;
      reply.numbers = {optimizer.learningRate()};
      return reply;
    };
  }
  if (name == "clipGradients") {
    const double maximum = options.number("maximum", 0);
    return [=](Optimizer& optimizer, const Tensors&) {
      Reply reply;
      reply.numbers = {optimizer.clipGradients(maximum)};
      return reply;
    };
  }
  if (name == "state") return readState;
  if (name == "load") return loadState(options);
  throw invalidArgument("Expected a known optimizer query but received '" + name + "'");
}

class BuildJob : public Job {
 public:
  BuildJob(Call call, std::shared_ptr<OptimizerCell> cell, OptimizerOptions options, std::vector<CellPtr> parameters,
           std::shared_ptr<Mailbox> mailbox)
      : call_(std::move(call)),
        cell_(std::move(cell)),
        options_(std::move(options)),
        parameters_(std::move(parameters)),
        mailbox_(std::move(mailbox)) {}
  void run() noexcept override {
    Tensors tensors;
    for (auto& parameter : parameters_) {
      cell_->failure = parameter->failure();
      if (cell_->failure) return;
      tensors.push_back(parameter->value());
    }
    try {
      cell_->optimizer = std::make_unique<Optimizer>(options_, std::move(tensors));
    } catch (...) {
      cell_->failure = currentFailure(call_, {}, mailbox_);
    }
  }

 private:
  Call call_;
  std::shared_ptr<OptimizerCell> cell_;
  OptimizerOptions options_;
  std::vector<CellPtr> parameters_;
  std::shared_ptr<Mailbox> mailbox_;
};

Napi::FunctionReference& constructorOf(Napi::Env env) {
  return *std::static_pointer_cast<Napi::FunctionReference>(Environment::of(env).optimizers);
}

// createOptimizer(options, parameters, context) -> handle
Napi::Value createEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto cell = std::make_shared<OptimizerCell>();
  auto& environment = Environment::of(env);
  environment.post(std::make_unique<BuildJob>(toCall("createOptimizer", info[2]), cell,
                                              OptimizerOptions::from(toOptions(info[0])),
                                              TensorHandle::cellsOf(info[1]), environment.mailbox()));
  return constructorOf(env).New({Napi::External<std::shared_ptr<OptimizerCell>>::New(env, &cell)});
}

// askOptimizer(optimizer, query, inputs, options, context) -> promise of a reply
Napi::Value askEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto cell = OptimizerHandle::optimizerOf(info[0]);
  const auto name = info[1].As<Napi::String>().Utf8Value();
  auto kernel = prepareQuery(name, toOptions(info[3]));
  return ask(env, toCall("optimizer." + name, info[4]), TensorHandle::cellsOf(info[2]),
             [cell, kernel](const Tensors& in) { return kernel(*cell->optimizer, in); },
             [cell] { return cell->failure; });
}

// disposeOptimizer(optimizer)
Napi::Value disposeEntry(const Napi::CallbackInfo& info) {
  if (info[0].IsObject() && info[0].As<Napi::Object>().CheckTypeTag(&kOptimizerTag)) {
    auto cell = OptimizerHandle::Unwrap(info[0].As<Napi::Object>())->release();
    if (cell) releaseOnLane(*Environment::of(info.Env()).queue(), {std::move(cell)});
  }
  return info.Env().Undefined();
}

}  // namespace

Napi::Function OptimizerHandle::define(Napi::Env env) { return DefineClass(env, "OptimizerHandle", {}); }

OptimizerHandle::OptimizerHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<OptimizerHandle>(info) {
  if (info.Length() != 1 || !info[0].IsExternal()) {
    throw Napi::TypeError::New(info.Env(), "Optimizer handles are made by createOptimizer, not by `new`");
  }
  cell_ = *info[0].As<Napi::External<std::shared_ptr<OptimizerCell>>>().Data();
  queue_ = Environment::of(info.Env()).queue();
  info.This().As<Napi::Object>().TypeTag(&kOptimizerTag);
}

OptimizerHandle::~OptimizerHandle() {
  if (cell_) releaseOnLane(*queue_, {std::move(cell_)});
}

std::shared_ptr<OptimizerCell> OptimizerHandle::optimizerOf(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kOptimizerTag)) {
    throw invalidArgument("Expected an Optimizer");
  }
  auto cell = OptimizerHandle::Unwrap(value.As<Napi::Object>())->cell_;
  if (!cell) throw Error("ERR_DISPOSED", "Expected a live Optimizer but it has been disposed");
  return cell;
}

void defineOptimizerExports(Napi::Env env, Napi::Object exports) {
  Environment::of(env).optimizers =
      std::make_shared<Napi::FunctionReference>(Napi::Persistent(OptimizerHandle::define(env)));
  exports.Set("createOptimizer", Napi::Function::New<guarded<createEntry>>(env, "createOptimizer"));
  exports.Set("askOptimizer", Napi::Function::New<guarded<askEntry>>(env, "askOptimizer"));
  exports.Set("disposeOptimizer", Napi::Function::New<guarded<disposeEntry>>(env, "disposeOptimizer"));
}

}  // namespace cxr
