// One JavaScript environment (the main thread or a worker) as native code sees it: its queue on the compute lane, its
// mailbox back to JavaScript, its promises. Nothing of JavaScript is process-wide, so worker threads can come and go.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "runtime/error.h"
#include "runtime/lane.h"
#include "runtime/napi.h"

namespace cxr {

/// Carries work from any thread to one environment's JavaScript thread. Safe to use after the environment is gone: the
/// work is then dropped.
class Mailbox : public LostFailures {
 public:
  using Letter = std::function<void(Napi::Env)>;

  explicit Mailbox(Napi::Env env);
  void post(Letter letter);
  /// A failure whose last carrier has gone without anybody having seen it.
  void report(FailurePtr failure) override;
  void close();
  /// On the JavaScript thread: keeps the event loop alive while promises are open.
  void hold(Napi::Env env);
  void letGo(Napi::Env env);

 private:
  static void deliver(napi_env env, napi_value callback, void* context, void* data);

  std::mutex mutex_;
  std::vector<Letter> letters_;
  bool closed_ = false;
  napi_threadsafe_function function_ = nullptr;
  size_t held_ = 0;
};

class Environment {
 public:
  explicit Environment(Napi::Env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  /// Puts a job at the end of this environment's queue.
  void post(std::unique_ptr<Job> job);
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
  const std::shared_ptr<Lane::Queue>& queue() const { return queue_; }

  /// A promise that a job settles through `settle` with the id given to it.
  Napi::Promise promise(Napi::Env env, const std::function<std::unique_ptr<Job>(uint64_t id)>& makeJob);
  /// From any thread: the promise `id` of the environment behind `mailbox` is fulfilled with what `value` makes.
  static void fulfil(Mailbox& mailbox, uint64_t id, std::function<Napi::Value(Napi::Env)> value);
  static void reject(Mailbox& mailbox, uint64_t id, FailurePtr failure);

  /// On the JavaScript thread: the promise is fulfilled with what `value` makes, or rejected with what it throws.
  void settle(Napi::Env env, Napi::Promise::Deferred deferred,
              const std::function<Napi::Value(Napi::Env)>& value);

  /// The JavaScript constructor and callbacks that lib/native.ts hands over once.
  void setCallbacks(Napi::Function makeError, Napi::Function onLost);
  Napi::Value makeError(Napi::Env env, const std::string& code, const std::string& message,
                        const FailurePtr& failure = nullptr);
  /// Hands a failure that nobody has seen to JavaScript.
  void handLost(Napi::Env env, const FailurePtr& failure);

  /// Drops what is queued and waits for what runs. Idempotent.
  void close();
  bool closed() const { return closed_; }

  /// What the layers above keep for this environment; each of them alone knows its own type.
  std::shared_ptr<void> tensors;
  std::shared_ptr<void> models;
  std::shared_ptr<void> optimizers;
  std::shared_ptr<void> dataLane;

 private:
  std::shared_ptr<Lane::Queue> queue_;
  std::shared_ptr<Mailbox> mailbox_;
  std::unordered_map<uint64_t, Napi::Promise::Deferred> promises_;
  uint64_t nextPromise_ = 1;
  Napi::FunctionReference makeError_;
  Napi::FunctionReference onLost_;
  bool closed_ = false;
};

}  // namespace cxr
