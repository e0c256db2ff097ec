#include "tensor/tensor_handle.h"

#include <cstring>
#include <optional>

#include "runtime/convert.h"

namespace cxr {
namespace {

constexpr napi_type_tag kTensorTag{0x6378722d67617a65, 0x74656e736f723031};

class ReleaseJob : public Job {
 public:
  explicit ReleaseJob(std::vector<std::shared_ptr<void>> objects) : objects_(std::move(objects)) {}
  void run() noexcept override { objects_.clear(); }

 private:
  std::vector<std::shared_ptr<void>> objects_;
};

void checkCount(const std::string& name, size_t count, size_t least, size_t most) {
  if (count >= least && count <= most) return;
  std::string expected = std::to_string(least);
  if (most == Registry::kAnyNumber) expected = "at least " + expected;
  else if (most != least) expected += " to " + std::to_string(most);
  throw invalidArgument("Expected " + expected + " tensors for " + name + " but received " + std::to_string(count));
}

std::vector<int64_t> toShape(const Napi::Value& value) {
  std::vector<int64_t> shape;
  auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    shape.push_back(array.Get(i).As<Napi::Number>().Int64Value());
  }
  return shape;
}

// run(operation, inputs, options, context) -> handles
Napi::Value runEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const auto name = info[0].As<Napi::String>().Utf8Value();
  const Operation& operation = TensorEnvironment::of(env).registry().find(name);
  auto inputs = TensorHandle::cellsOf(info[1]);
  checkCount(name, inputs.size(), operation.minInputs, operation.maxInputs);
  const Options options = toOptions(info[2]);
  const size_t outputs = operation.outputs(inputs.size(), options);
  return enqueue(env, toCall(name, info[3]), std::move(inputs), outputs, operation.prepare(options),
                 operation.inPlace);
}

// ask(query, inputs, options, context) -> promise of a reply
Napi::Value askEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const auto name = info[0].As<Napi::String>().Utf8Value();
  const Query& query = TensorEnvironment::of(env).registry().findQuery(name);
  auto inputs = TensorHandle::cellsOf(info[1]);
  checkCount(name, inputs.size(), query.minInputs, query.maxInputs);
  return ask(env, toCall(name, info[3]), std::move(inputs), query.prepare(toOptions(info[2])));
}

at::Tensor copyOf(const uint8_t* source, size_t length, at::ScalarType type, const std::vector<int64_t>& shape,
                  const std::optional<std::vector<int64_t>>& strides) {
  at::Tensor tensor = at::empty({static_cast<int64_t>(length / c10::elementSize(type))}, at::TensorOptions(type));
  if (tensor.nbytes() != length) throw invalidShape("Expected whole elements of the dtype");
  if (length > 0) std::memcpy(tensor.data_ptr(), source, length);
  return strides ? tensor.as_strided(shape, *strides) : tensor.view(shape);
}

// fromBytes(view, dtype, shape, strides | undefined) -> handle; the bytes are copied now
Napi::Value fromBytesEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto view = info[0].As<Napi::Uint8Array>();  // may lie over shared memory, so it is not asked for an ArrayBuffer
  const auto type = parseDtype(info[1].As<Napi::String>().Utf8Value());
  std::optional<std::vector<int64_t>> strides;
  if (info[3].IsArray()) strides = toShape(info[3]);
  auto& tensors = TensorEnvironment::of(env);
  auto cell = tensors.makeCell();
  try {
    cell->fill(copyOf(view.Data(), view.ByteLength(), type, toShape(info[2]), strides));
  } catch (const std::exception&) {
    throw currentError("tensor");
  }
  tensors.reportMemory(env);
  return tensors.wrap(env, std::move(cell));
}

// dispose(handles)
Napi::Value disposeEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto array = info[0].As<Napi::Array>();
  std::vector<std::shared_ptr<void>> cells;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    Napi::Value value = array.Get(i);
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTensorTag)) {
      throw invalidArgument("Expected tensor handles for dispose");
    }
    if (auto cell = TensorHandle::Unwrap(value.As<Napi::Object>())->release()) cells.push_back(std::move(cell));
  }
  if (!cells.empty()) releaseOnLane(*Environment::of(env).queue(), std::move(cells));
  TensorEnvironment::of(env).reportMemory(env);
  return env.Undefined();
}

Napi::Value memoryStatsEntry(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const auto& ledger = *TensorEnvironment::of(env).ledger();
  auto stats = Napi::Object::New(env);
  stats.Set("liveTensors", Napi::Number::New(env, static_cast<double>(ledger.liveTensors)));
  stats.Set("hostBytes", Napi::Number::New(env, static_cast<double>(ledger.hostBytes())));
  stats.Set("deviceBytes", Napi::Number::New(env, static_cast<double>(ledger.deviceBytes())));
  stats.Set("pendingJobs",
            Napi::Number::New(env, static_cast<double>(Lane::instance().pending(*Environment::of(env).queue()))));
  return stats;
}

std::string describeValue(const Napi::Value& value) {
  return std::string("a value of type ") + (value.IsNull() ? "null" : value.IsObject() ? "object" : "primitive");
}

}  // namespace

TensorEnvironment::TensorEnvironment(Napi::Env env, Napi::Object, std::shared_ptr<const Registry> registry)
    : registry_(std::move(registry)),
      ledger_(std::make_shared<Ledger>()),
      constructor_(Napi::Persistent(TensorHandle::define(env))) {}

TensorEnvironment& TensorEnvironment::of(Napi::Env env) {
  return *std::static_pointer_cast<TensorEnvironment>(Environment::of(env).tensors);
}

Napi::Object TensorEnvironment::wrap(Napi::Env env, CellPtr cell) {
  return constructor_.New({Napi::External<CellPtr>::New(env, &cell)});
}

void TensorEnvironment::reportMemory(Napi::Env env) {
  const int64_t delta = ledger_->takeHostDelta();
  if (delta != 0) Napi::MemoryManagement::AdjustExternalMemory(env, delta);
}

Napi::Function TensorHandle::define(Napi::Env env) {
  return DefineClass(env, "TensorHandle", {InstanceMethod<&TensorHandle::meta>("meta")});
}

TensorHandle::TensorHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TensorHandle>(info) {
  if (info.Length() != 1 || !info[0].IsExternal()) {
    throw Napi::TypeError::New(info.Env(), "Tensor handles are made by operations, not by `new`");
  }
  cell_ = *info[0].As<Napi::External<CellPtr>>().Data();
  ledger_ = TensorEnvironment::of(info.Env()).ledger();
  queue_ = Environment::of(info.Env()).queue();
  ++ledger_->liveTensors;
  info.This().As<Napi::Object>().TypeTag(&kTensorTag);
}

TensorHandle::~TensorHandle() {
  if (auto cell = release()) releaseOnLane(*queue_, {std::move(cell)});
}

CellPtr TensorHandle::release() {
  if (cell_) --ledger_->liveTensors;
  return std::move(cell_);
}

CellPtr TensorHandle::cellOf(const Napi::Value& value, const std::string& argument) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTensorTag)) {
    throw invalidArgument("Expected a Tensor for " + argument + " but received " + describeValue(value));
  }
  auto cell = TensorHandle::Unwrap(value.As<Napi::Object>())->cell_;
  if (!cell) throw Error("ERR_DISPOSED", "Expected a live Tensor for " + argument + " but it has been disposed");
  return cell;
}

std::vector<CellPtr> TensorHandle::cellsOf(const Napi::Value& value) {
  std::vector<CellPtr> cells;
  auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    Napi::Value item = array.Get(i);
    const bool absent = item.IsNull() || item.IsUndefined();
    cells.push_back(absent ? nullptr : cellOf(item, "operand " + std::to_string(i)));
  }
  return cells;
}

// meta() -> {dtype, shape, device} once filled, else undefined
Napi::Value TensorHandle::meta(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!cell_) return env.Undefined();
  const auto known = cell_->meta();
  if (!known) return env.Undefined();
  auto shape = Napi::Array::New(env, known->shape.size());
  for (uint32_t i = 0; i < known->shape.size(); ++i) {
    shape.Set(i, Napi::Number::New(env, static_cast<double>(known->shape[i])));
  }
  auto meta = Napi::Object::New(env);
  meta.Set("dtype", dtypeName(known->dtype));
  meta.Set("shape", shape);
  meta.Set("device", known->device.str());
  meta.Set("requiresGrad", Napi::Boolean::New(env, known->requiresGrad));
  return meta;
}

Call toCall(const std::string& operation, const Napi::Value& context) {
  Call call;
  call.operation = operation;
  if (!context.IsObject()) return call;
  auto object = context.As<Napi::Object>();
  call.grad = object.Get("grad").ToBoolean().Value();
  Napi::Value autocast = object.Get("autocast");
  if (autocast.IsString()) call.autocast = autocast.As<Napi::String>().Utf8Value();
  Napi::Value scope = object.Get("scope");
  if (scope.IsString()) call.scope = scope.As<Napi::String>().Utf8Value();
  Napi::Value requestedAt = object.Get("requestedAt");
  if (requestedAt.IsString()) call.requestedAt = requestedAt.As<Napi::String>().Utf8Value();
  return call;
}

namespace {

// A JavaScript object for a reply; tensors become handles, bytes an ArrayBuffer.
Napi::Value fromReply(Napi::Env env, const Reply& reply, const std::vector<CellPtr>& cells) {
  auto result = Napi::Object::New(env);
  auto texts = Napi::Array::New(env, reply.texts.size());
  for (uint32_t i = 0; i < reply.texts.size(); ++i) texts.Set(i, reply.texts[i]);
  auto numbers = Napi::Array::New(env, reply.numbers.size());
  for (uint32_t i = 0; i < reply.numbers.size(); ++i) numbers.Set(i, reply.numbers[i]);
  auto& tensors = TensorEnvironment::of(env);
  auto handles = Napi::Array::New(env, cells.size());
  for (uint32_t i = 0; i < cells.size(); ++i) handles.Set(i, tensors.wrap(env, cells[i]));
  result.Set("texts", texts);
  result.Set("numbers", numbers);
  result.Set("tensors", handles);
  if (reply.bytes.defined()) {
    auto buffer = Napi::ArrayBuffer::New(env, reply.bytes.nbytes());
    if (reply.bytes.nbytes() > 0) std::memcpy(buffer.Data(), reply.bytes.const_data_ptr(), reply.bytes.nbytes());
    result.Set("bytes", buffer);
  }
  return result;
}

}  // namespace

Napi::Promise ask(Napi::Env env, Call call, std::vector<CellPtr> inputs, QueryKernel kernel,
                  Precondition precondition) {
  auto& environment = Environment::of(env);
  TensorEnvironment::of(env).reportMemory(env);
  return environment.promise(env, [&](uint64_t id) {
    auto mailbox = environment.mailbox();
    auto settle = [mailbox, id, ledger = TensorEnvironment::of(env).ledger()](Reply reply) {
      // Still on the lane: the JavaScript thread must not look into tensors that later jobs may change.
      std::vector<CellPtr> cells;
      for (auto& tensor : reply.tensors) {
        cells.push_back(std::make_shared<Cell>(ledger));
        cells.back()->fill(std::move(tensor));
      }
      Environment::fulfil(*mailbox, id, [reply = std::move(reply), cells = std::move(cells)](Napi::Env e) {
        return fromReply(e, reply, cells);
      });
    };
    auto fail = [mailbox, id](FailurePtr failure) { Environment::reject(*mailbox, id, std::move(failure)); };
    return std::make_unique<QueryJob>(std::move(call), std::move(inputs), std::move(kernel), mailbox,
                                      std::move(settle), std::move(fail), std::move(precondition));
  });
}

Napi::Value enqueue(Napi::Env env, Call call, std::vector<CellPtr> inputs, size_t outputs, Kernel kernel,
                    bool inPlace, Precondition precondition) {
  auto& environment = Environment::of(env);
  auto& tensors = TensorEnvironment::of(env);
  tensors.reportMemory(env);
  std::vector<CellPtr> cells;
  for (size_t i = 0; i < outputs; ++i) cells.push_back(tensors.makeCell());
  environment.post(std::make_unique<TensorJob>(std::move(call), std::move(inputs), cells, std::move(kernel),
                                               environment.mailbox(), inPlace, std::move(precondition)));
  auto handles = Napi::Array::New(env, outputs);
  for (uint32_t i = 0; i < outputs; ++i) handles.Set(i, tensors.wrap(env, std::move(cells[i])));
  return handles;
}

void releaseOnLane(Lane::Queue& queue, std::vector<std::shared_ptr<void>> objects) {
  Lane::instance().post(queue, std::make_unique<ReleaseJob>(std::move(objects)));
}

void defineTensorExports(Napi::Env env, Napi::Object exports, std::shared_ptr<const Registry> registry) {
  Environment::of(env).tensors = std::make_shared<TensorEnvironment>(env, exports, std::move(registry));
  exports.Set("run", Napi::Function::New<guarded<runEntry>>(env, "run"));
  exports.Set("ask", Napi::Function::New<guarded<askEntry>>(env, "ask"));
  exports.Set("fromBytes", Napi::Function::New<guarded<fromBytesEntry>>(env, "fromBytes"));
  exports.Set("dispose", Napi::Function::New<guarded<disposeEntry>>(env, "dispose"));
  exports.Set("memoryStats", Napi::Function::New<guarded<memoryStatsEntry>>(env, "memoryStats"));
}

}  // namespace cxr
