// Errors that carry one of the codes of lib/errors.ts. No LibTorch and no N-API here: every lane uses it.
#pragma once

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace cxr {

/// Thrown by native code that knows which code of lib/errors.ts applies.
class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const noexcept { return code_; }

 private:
  std::string code_;
};

inline Error invalidArgument(const std::string& message) { return Error("ERR_INVALID_ARGUMENT", message); }
inline Error invalidShape(const std::string& message) { return Error("ERR_INVALID_SHAPE", message); }

/// Why a job failed: shared by its results and by everything that depends on them.
struct Failure {
  std::string code;
  std::string message;      ///< without LibTorch's own stack
  std::string operation;    ///< the operation that failed first
  std::string nativeStack;  ///< LibTorch's stack, for a non-enumerable property
  std::string requestedAt;  ///< the JavaScript stack of the call, when tracing is on
  std::string scope;        ///< the tidy scopes around the call, outermost first, as lib/tensor/context.ts names them
  std::atomic<bool> observed{false};  ///< true once a promise has been rejected with it
};

using FailurePtr = std::shared_ptr<Failure>;

/// Is told of failures that nobody has seen. From any thread.
class LostFailures {
 public:
  virtual ~LostFailures() = default;
  virtual void report(FailurePtr failure) = 0;
};

}  // namespace cxr
