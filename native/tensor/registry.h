// The table of operations: a name, how many tensors go in and come out, and how to make the kernel.
//
// `prepare` runs on the JavaScript thread: it reads and checks the options, and throws cxr::Error for what can be
// judged without data. The kernel that it returns runs later on the compute lane.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/options.h"

namespace cxr {

/// An optional input that was not given is an undefined tensor.
using Tensors = std::vector<at::Tensor>;
using Kernel = std::function<Tensors(const Tensors& inputs)>;

/// What a query tells JavaScript: plain values, new tensors, or one tensor's bytes.
struct Reply {
  std::vector<std::string> texts;
  std::vector<double> numbers;
  Tensors tensors;
  at::Tensor bytes;
};
using QueryKernel = std::function<Reply(const Tensors& inputs)>;

/// An operation that is run for its effect or for plain values, and settles a promise.
struct Query {
  size_t minInputs;
  size_t maxInputs;
  std::function<QueryKernel(const Options&)> prepare;
};

struct Operation {
  size_t minInputs;
  size_t maxInputs;
  /// Number of results, which may depend on the inputs' number and on the options, never on data.
  std::function<size_t(size_t inputs, const Options&)> outputs;
  std::function<Kernel(const Options&)> prepare;
  /// An in-place operation writes its first input, gives no result, and poisons that input when it fails.
  bool inPlace = false;
};

class Registry {
 public:
  static constexpr size_t kAnyNumber = SIZE_MAX;

  /// An operation with one result.
  void add(const std::string& name, size_t minInputs, size_t maxInputs,
           std::function<Kernel(const Options&)> prepare) {
    addMany(name, minInputs, maxInputs, 1, std::move(prepare));
  }
  /// An operation with a fixed number of results; 0 for one that is run for its effect.
  void addMany(const std::string& name, size_t minInputs, size_t maxInputs, size_t outputs,
               std::function<Kernel(const Options&)> prepare) {
    table_[name] = {minInputs, maxInputs, [outputs](size_t, const Options&) { return outputs; },
                    std::move(prepare), false};
  }
  void addVariable(const std::string& name, size_t minInputs, size_t maxInputs,
                   std::function<size_t(size_t, const Options&)> outputs,
                   std::function<Kernel(const Options&)> prepare) {
    table_[name] = {minInputs, maxInputs, std::move(outputs), std::move(prepare), false};
  }
  void addInPlace(const std::string& name, size_t minInputs, size_t maxInputs,
                  std::function<Kernel(const Options&)> prepare) {
    table_[name] = {minInputs, maxInputs, [](size_t, const Options&) { return size_t{0}; }, std::move(prepare),
                    true};
  }

  void addQuery(const std::string& name, size_t minInputs, size_t maxInputs,
                std::function<QueryKernel(const Options&)> prepare) {
    queries_[name] = {minInputs, maxInputs, std::move(prepare)};
  }

  const Query& findQuery(const std::string& name) const {
    auto found = queries_.find(name);
    if (found == queries_.end()) throw invalidArgument("Expected a known query but received '" + name + "'");
    return found->second;
  }

  const Operation& find(const std::string& name) const {
    auto found = table_.find(name);
    if (found == table_.end()) throw invalidArgument("Expected a known operation but received '" + name + "'");
    return found->second;
  }

 private:
  std::unordered_map<std::string, Operation> table_;
  std::unordered_map<std::string, Query> queries_;
};

}  // namespace cxr
