// Copies of short texts in blocks of 16 bytes instead of byte counts that the processor would have
// to branch on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace shardlog::record {

// Copies `size` bytes and returns the end of the copy. May write up to 31 bytes behind it. Reads
// nothing at or behind `readable_end`, which lies in the same memory as `from`.
inline char* CopyText(char* to, const uint8_t* from, size_t size, const uint8_t* readable_end) {
  constexpr size_t kBlock = 16;
  if (size <= 2 * kBlock && static_cast<size_t>(readable_end - from) >= 2 * kBlock) {
    std::memcpy(to, from, kBlock);
    if (size > kBlock) std::memcpy(to + kBlock, from + kBlock, kBlock);
  } else {
    std::memcpy(to, from, size);
  }
  return to + size;
}

// A text known when compiling.
template <size_t N>
inline char* CopyLiteral(char* to, const char (&text)[N]) {
  std::memcpy(to, text, N - 1);
  return to + N - 1;
}

}  // namespace shardlog::record
