// The few lines that the tests of the core need: they run without Node, so that sanitizers can watch them.
#pragma once

#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace cxr::test {

struct Case {
  std::string name;
  std::function<void()> run;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

/// Adds a case at the start of the program: `const bool added = add("name", [] { ... });`.
inline bool add(std::string name, std::function<void()> run) {
  cases().push_back({std::move(name), std::move(run)});
  return true;
}

inline void check(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

/// The code of the error that `run` throws; empty where it throws none.
template <typename E>
std::string codeOf(const std::function<void()>& run) {
  try {
    run();
  } catch (const E& error) {
    return error.code();
  }
  return "";
}

}  // namespace cxr::test
