// A flat options object as it crosses from TypeScript: names to plain values, without any N-API type, so that
// the core below the edge can be tested without Node.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "runtime/error.h"

namespace cxr {

using Option = std::variant<bool, double, std::string, std::vector<double>, std::vector<std::string>>;

class Options {
 public:
  void set(const std::string& name, Option value) { values_[name] = std::move(value); }
  bool has(const std::string& name) const { return values_.count(name) != 0; }

  bool flag(const std::string& name, bool fallback = false) const {
    return has(name) ? get<bool>(name, "a boolean") : fallback;
  }
  double number(const std::string& name) const { return get<double>(name, "a number"); }
  double number(const std::string& name, double fallback) const { return has(name) ? number(name) : fallback; }
  int64_t integer(const std::string& name) const { return toInteger(name, number(name)); }
  int64_t integer(const std::string& name, int64_t fallback) const { return has(name) ? integer(name) : fallback; }
  std::string text(const std::string& name) const { return get<std::string>(name, "a string"); }
  std::string text(const std::string& name, const std::string& fallback) const {
    return has(name) ? text(name) : fallback;
  }
  std::vector<double> numbers(const std::string& name) const {
    return get<std::vector<double>>(name, "an array of numbers");
  }
  std::vector<int64_t> integers(const std::string& name) const {
    std::vector<int64_t> result;
    for (double value : numbers(name)) result.push_back(toInteger(name, value));
    return result;
  }
  std::vector<std::string> texts(const std::string& name) const {
    // An empty JavaScript array carries no element type.
    if (auto* empty = std::get_if<std::vector<double>>(&at(name)); empty != nullptr && empty->empty()) return {};
    return get<std::vector<std::string>>(name, "an array of strings");
  }

 private:
  const Option& at(const std::string& name) const {
    auto found = values_.find(name);
    if (found == values_.end()) throw invalidArgument("Expected a value for " + name + " but received undefined");
    return found->second;
  }
  template <typename T>
  const T& get(const std::string& name, const char* expected) const {
    const T* value = std::get_if<T>(&at(name));
    if (value == nullptr) throw invalidArgument(std::string("Expected ") + expected + " for " + name);
    return *value;
  }
  static int64_t toInteger(const std::string& name, double value) {
    if (std::nearbyint(value) != value || std::abs(value) > 9007199254740991.0) {
      throw invalidArgument("Expected an integer for " + name + " but received " + std::to_string(value));
    }
    return static_cast<int64_t>(value);
  }

  std::map<std::string, Option> values_;
};

}  // namespace cxr
