// Reading and writing raw tensor bytes at a place in a file. Headers are parsed in TypeScript, which is memory-safe;
// nothing here trusts more than the numbers that were checked there, and those are checked against the file again.
#pragma once

#include "tensor/registry.h"

namespace cxr {

void registerTensorFiles(Registry& registry);

}  // namespace cxr
