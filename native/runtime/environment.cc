#include "runtime/environment.h"

namespace cxr {

Mailbox::Mailbox(Napi::Env env) {
  napi_value name = Napi::String::New(env, "cxr-gaze");
  napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                                       &Mailbox::deliver, &function_);
  if (status != napi_ok) throw Error("ERR_NATIVE", "The environment refused a thread-safe function");
  // Only open promises keep the process alive, not the mere existence of the addon.
  napi_unref_threadsafe_function(env, function_);
}

void Mailbox::post(Letter letter) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  letters_.push_back(std::move(letter));
  // One wake-up delivers all letters that have come in meanwhile.
  if (letters_.size() == 1) napi_call_threadsafe_function(function_, this, napi_tsfn_nonblocking);
}

void Mailbox::report(FailurePtr failure) {
  post([failure = std::move(failure)](Napi::Env env) { Environment::of(env).handLost(env, failure); });
}

void Mailbox::close() {
  std::vector<Letter> dropped;  // destroyed after the lock: a failure that a letter held last reports itself by post()
  std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = true;
  dropped.swap(letters_);
  napi_release_threadsafe_function(function_, napi_tsfn_abort);
}

void Mailbox::hold(Napi::Env env) {
  if (held_++ == 0) napi_ref_threadsafe_function(env, function_);
}

void Mailbox::letGo(Napi::Env env) {
  if (--held_ == 0) napi_unref_threadsafe_function(env, function_);
}

void Mailbox::deliver(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;  // the environment is being torn down
  auto* self = static_cast<Mailbox*>(context);
  std::vector<Letter> letters;
  {
    std::lock_guard lock(self->mutex_);
    letters.swap(self->letters_);
  }
  for (auto& letter : letters) {
    Napi::HandleScope scope(env);
    // One letter that fails must not keep the others, and their promises, from being delivered.
    try {
      letter(Napi::Env(env));
    } catch (const Napi::Error& error) {
      napi_fatal_exception(env, error.Value());
    } catch (const std::exception& error) {
      napi_fatal_exception(env, Napi::Error::New(env, error.what()).Value());
    }
  }
}

Environment::Environment(Napi::Env env)
    : queue_(Lane::instance().open()), mailbox_(std::make_shared<Mailbox>(env)) {
  // Runs before any static destructor and before the environment's own clean-up of the thread-safe function.
  env.AddCleanupHook([](Environment* self) { self->close(); }, this);
}

Environment::~Environment() { close(); }

void Environment::close() {
  if (closed_) return;
  closed_ = true;
  mailbox_->close();
  Lane::instance().close(*queue_);
}

void Environment::post(std::unique_ptr<Job> job) {
  if (!Lane::instance().post(*queue_, std::move(job))) {
    throw Error("ERR_CLOSED", "This thread is leaving: no more work can be queued");
  }
}

Napi::Promise Environment::promise(Napi::Env env,
                                   const std::function<std::unique_ptr<Job>(uint64_t id)>& makeJob) {
  auto deferred = Napi::Promise::Deferred::New(env);
  const uint64_t id = nextPromise_++;
  post(makeJob(id));
  promises_.emplace(id, deferred);
  mailbox_->hold(env);
  return deferred.Promise();
}

void Environment::fulfil(Mailbox& mailbox, uint64_t id, std::function<Napi::Value(Napi::Env)> value) {
  mailbox.post([id, value = std::move(value)](Napi::Env env) {
    auto& self = Environment::of(env);
    auto found = self.promises_.find(id);
    if (found == self.promises_.end()) return;
    auto deferred = found->second;
    self.promises_.erase(found);
    self.mailbox_->letGo(env);
    self.settle(env, deferred, value);
  });
}

void Environment::settle(Napi::Env env, Napi::Promise::Deferred deferred,
                         const std::function<Napi::Value(Napi::Env)>& value) {
  try {
    deferred.Resolve(value(env));
  } catch (const Napi::Error& error) {
    deferred.Reject(error.Value());
  } catch (const std::exception& error) {
    deferred.Reject(makeError(env, "ERR_NATIVE", error.what()));
  }
}

void Environment::reject(Mailbox& mailbox, uint64_t id, FailurePtr failure) {
  mailbox.post([id, failure = std::move(failure)](Napi::Env env) {
    auto& self = Environment::of(env);
    auto found = self.promises_.find(id);
    if (found == self.promises_.end()) return;
    auto deferred = found->second;
    self.promises_.erase(found);
    self.mailbox_->letGo(env);
    failure->observed = true;
    deferred.Reject(self.makeError(env, failure->code, failure->message, failure));
  });
}

void Environment::setCallbacks(Napi::Function makeError, Napi::Function onLost) {
  makeError_ = Napi::Persistent(makeError);
  onLost_ = Napi::Persistent(onLost);
}

Napi::Value Environment::makeError(Napi::Env env, const std::string& code, const std::string& message,
                                   const FailurePtr& failure) {
  auto particulars = Napi::Object::New(env);
  if (failure) {
    particulars.Set("operation", failure->operation);
    particulars.Set("nativeStack", failure->nativeStack);
    if (!failure->requestedAt.empty()) particulars.Set("requestedAt", failure->requestedAt);
  }
  if (makeError_.IsEmpty()) {
    auto error = Napi::Error::New(env, message);
    error.Set("code", Napi::String::New(env, code));
    return error.Value();
  }
  return makeError_.Call({Napi::String::New(env, code), Napi::String::New(env, message), particulars});
}

void Environment::handLost(Napi::Env env, const FailurePtr& failure) {
  if (failure->observed.exchange(true) || onLost_.IsEmpty()) return;
  auto error = makeError(env, failure->code, failure->message, failure);
  onLost_.Call({error, Napi::String::New(env, failure->scope)});
}

}  // namespace cxr
