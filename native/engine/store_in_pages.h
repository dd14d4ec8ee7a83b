// Stores that need one page at a time.
//
// A copy-on-write file system makes a page that was written back writable only when it has found
// room for it, and while it looks it may write another one back. An instruction that stores across
// the edge of two such pages needs both at once, and is begun again until the kernel leaves both
// alone, which on a full disk takes seconds. One page always comes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/geometry.h"

namespace shardlog::engine {

inline void StoreInPages(uint8_t* to, const void* from, size_t size) {
  const auto* source = static_cast<const uint8_t*>(from);
  while (size != 0) {
    const size_t left = kPageBytes - reinterpret_cast<uintptr_t>(to) % kPageBytes;
    const size_t part = std::min(left, size);
    std::memcpy(to, source, part);
    to += part;
    source += part;
    size -= part;
  }
}

}  // namespace shardlog::engine
