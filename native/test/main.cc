#include <exception>

#include "test/check.h"

// Runs every case, or those whose name contains the argument. Ends with "N passed, N failed".
int main(int count, char** arguments) {
  const std::string wanted = count > 1 ? arguments[1] : "";
  int passed = 0, failed = 0;
  for (const auto& item : cxr::test::cases()) {
    if (item.name.find(wanted) == std::string::npos) continue;
    try {
      item.run();
      ++passed;
      std::cout << "ok - " << item.name << std::endl;
    } catch (const std::exception& error) {
      ++failed;
      std::cout << "NOT OK - " << item.name << ": " << error.what() << std::endl;
    }
  }
  std::cout << passed << " passed, " << failed << " failed" << std::endl;
  return failed == 0 && passed > 0 ? 0 : 1;
}
