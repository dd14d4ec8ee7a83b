#include "sink/non_temporal_copy.h"

#include <algorithm>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace shardlog::engine {

#if defined(__SSE2__)

namespace {

constexpr size_t kLine = 64;  // of the caches

inline void StreamLine(uint8_t* to, const char* from) {
  const auto* const source = reinterpret_cast<const __m128i*>(from);
  auto* const target = reinterpret_cast<__m128i*>(to);
  for (size_t i = 0; i < kLine / sizeof(__m128i); i++) {
    _mm_stream_si128(target + i, _mm_loadu_si128(source + i));
  }
}

}  // namespace

void CopyNonTemporal(uint8_t* to, const char* from, size_t bytes) {
  const size_t before = (kLine - reinterpret_cast<uintptr_t>(to) % kLine) % kLine;
  const size_t head = std::min(before, bytes);
  std::memcpy(to, from, head);
  size_t at = head;
  for (; bytes - at >= kLine; at += kLine) StreamLine(to + at, from + at);
  std::memcpy(to + at, from + at, bytes - at);
  _mm_sfence();  // such stores are not ordered by a release
}

#else

void CopyNonTemporal(uint8_t* to, const char* from, size_t bytes) { std::memcpy(to, from, bytes); }

#endif

}  // namespace shardlog::engine
