#include "data_environment.h"

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "pixel_file_handle.h"
#include "runtime/error.h"

namespace cxr {
namespace {

FailurePtr makeFailure(const std::string& code, const std::string& message) {
  auto failure = std::make_shared<Failure>();
  failure->code = code;
  failure->message = message;
  failure->operation = "data lane";
  return failure;
}

}  // namespace

DataEnvironment::DataEnvironment(Napi::Env env)
    : queue_(DataLane::instance().open()),
      mailbox_(Environment::of(env).mailbox()),
      pixelFileClass_(Napi::Persistent(PixelFileHandle::define(env))) {
  // Before any static destructor and before the memory of inputs goes: nothing may run on after this.
  env.AddCleanupHook([](DataEnvironment* self) { self->close(); }, this);
}

DataEnvironment& DataEnvironment::of(Napi::Env env) {
  return *std::static_pointer_cast<DataEnvironment>(Environment::of(env).dataLane);
}

Napi::Promise DataEnvironment::submit(Napi::Env env, std::vector<Napi::ObjectReference> inputs, Work work) {
  const uint64_t id = nextId_++;
  auto deferred = Napi::Promise::Deferred::New(env);
  // Before the work is queued: the lane reads their memory from then on.
  open_.emplace(id, Open{deferred, std::move(inputs)});
  mailbox_->hold(env);
  try {
    post(id, std::move(work));
  } catch (...) {
    drop(env, id);
    throw;
  }
  return deferred.Promise();
}

void DataEnvironment::post(uint64_t id, Work work) {
  const bool queued = DataLane::instance().post(*queue_, [id, mailbox = mailbox_, work = std::move(work)] {
    Result result;
    FailurePtr failure;
    try {
      result = work();
    } catch (const Error& error) {
      failure = makeFailure(error.code(), error.what());
    } catch (const std::bad_alloc&) {
      failure = makeFailure("ERR_OUT_OF_MEMORY", "Host memory for pixels could not be had");
    } catch (const std::exception& error) {
      failure = makeFailure("ERR_NATIVE", error.what());
    }
    mailbox->post(
        [id, result, failure](Napi::Env env) { DataEnvironment::of(env).settle(env, id, result, failure); });
  });
  if (!queued) throw Error("ERR_CLOSED", "This thread is leaving: no more work can be queued");
}

void DataEnvironment::drop(Napi::Env env, uint64_t id) {
  open_.erase(id);
  mailbox_->letGo(env);
}

void DataEnvironment::settle(Napi::Env env, uint64_t id, const Result& result, const FailurePtr& failure) {
  auto found = open_.find(id);
  if (found == open_.end()) return;
  auto deferred = found->second.deferred;
  drop(env, id);
  auto& environment = Environment::of(env);
  if (failure) {
    deferred.Reject(environment.makeError(env, failure->code, failure->message, failure));
  } else {
    environment.settle(env, deferred, result);
  }
}

}  // namespace cxr
