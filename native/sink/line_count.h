#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace shardlog::engine {

// How many lines end among these bytes. std::count would widen each byte to 64 bits before it
// adds, which costs a cycle a byte.
inline uint64_t CountLines(const uint8_t* from, size_t size) {
  constexpr size_t kLanes = 32;
  constexpr size_t kRounds = UINT8_MAX;  // until a lane is full
  uint64_t lines = 0;
  while (size >= kLanes) {
    std::array<uint8_t, kLanes> ends{};
    const size_t rounds = std::min(size / kLanes, kRounds);
    for (size_t round = 0; round < rounds; ++round, from += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) ends[lane] += from[lane] == '\n' ? 1 : 0;
    }
    for (const uint8_t count : ends) lines += count;
    size -= rounds * kLanes;
  }
  return lines + static_cast<uint64_t>(std::count(from, from + size, uint8_t{'\n'}));
}

}  // namespace shardlog::engine
