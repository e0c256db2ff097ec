// Promises for work on the data lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "runtime/data_lane.h"
#include "runtime/environment.h"

namespace cxr {

/// What one environment needs to run work on the data lane.
class DataEnvironment {
 public:
  /// Runs on the JavaScript thread and makes the value that a promise is fulfilled with.
  using Result = std::function<Napi::Value(Napi::Env)>;
  /// Runs on the data lane; may throw cxr::Error.
  using Work = std::function<Result()>;

  explicit DataEnvironment(Napi::Env env);
  ~DataEnvironment() { close(); }
  DataEnvironment(const DataEnvironment&) = delete;
  DataEnvironment& operator=(const DataEnvironment&) = delete;

  static DataEnvironment& of(Napi::Env env);

  /// Queues work and gives its promise. `inputs` are kept from the garbage collector until the promise is
  /// settled; they are released here, on the JavaScript thread.
  Napi::Promise submit(Napi::Env env, std::vector<Napi::ObjectReference> inputs, Work work);
  /// Drops what is queued and waits for what runs. Idempotent.
  void close() { DataLane::instance().close(*queue_); }
  size_t pending() const { return DataLane::instance().pending(*queue_); }
  Napi::Function pixelFileClass() const { return pixelFileClass_.Value(); }

 private:
  struct Open {
    Napi::Promise::Deferred deferred;
    std::vector<Napi::ObjectReference> inputs;
  };

  /// Queues work whose promise is among the open ones. Throws where the environment is leaving.
  void post(uint64_t id, Work work);
  void drop(Napi::Env env, uint64_t id);
  void settle(Napi::Env env, uint64_t id, const Result& result, const FailurePtr& failure);
  std::shared_ptr<DataLane::Queue> queue_;
  std::shared_ptr<Mailbox> mailbox_;
  std::unordered_map<uint64_t, Open> open_;
  uint64_t nextId_ = 1;
  Napi::FunctionReference pixelFileClass_;
};

}  // namespace cxr
