// Memory in large pages: what a device reads from it costs the kernel one look-up for 512 pages.
#pragma once

#include <sys/mman.h>

#include <cstddef>

namespace shardlog::platform {

inline constexpr size_t kHugePageBytes = size_t{2} << 20;

// Asks for large pages in [start, start + bytes), both multiples of kHugePageBytes, before the
// memory is first touched. Where the system has none to give it stays as it is.
inline void PreferHugePages(void* start, size_t bytes) { madvise(start, bytes, MADV_HUGEPAGE); }

}  // namespace shardlog::platform
