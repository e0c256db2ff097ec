// LibTorch's memory on the host. A training step frees and asks for the same large blocks again and again; handed back to
// the system each time, they cost page faults and the system's zeroing: a tenth of a step. Here they are kept.
#pragma once

#include <cstddef>

namespace cxr {

/// Large blocks in use and kept, in bytes.
struct HostMemory {
  size_t used;
  size_t kept;
};

/// Makes LibTorch take its large host blocks from a store that never holds more than was in use at one time. Once a
/// process; Linux only, elsewhere it does nothing.
void installHostMemory();

/// Gives the blocks that are not in use back to the system.
void releaseHostMemory();

HostMemory hostMemory();

}  // namespace cxr
