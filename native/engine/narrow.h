// Copies UTF-16 of ASCII to bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace shardlog::engine {

inline constexpr size_t kNarrowBlock = 16;

// By way of variables: of what may lie in the same memory the compiler moves each unit by itself.
// The bits that any of the units has, those of each fourth one in a word's quarter.
inline uint64_t NarrowBlock(uint8_t* to, const char16_t* from) {
  std::array<uint16_t, kNarrowBlock> units;
  std::array<uint8_t, kNarrowBlock> bytes;
  std::array<uint64_t, sizeof units / sizeof(uint64_t)> words;
  std::memcpy(units.data(), from, sizeof units);
  std::memcpy(words.data(), from, sizeof words);
  for (size_t i = 0; i < kNarrowBlock; i++) bytes[i] = static_cast<uint8_t>(units[i]);
  std::memcpy(to, bytes.data(), sizeof bytes);
  return words[0] | words[1] | words[2] | words[3];
}

// Whether all are ASCII. In blocks, of which the last overlaps the one before: units that are
// left behind whole ones would take longer than those.
inline bool Narrow(uint8_t* to, const char16_t* units, size_t length) {
  constexpr uint64_t kNotAscii = 0xff80'ff80'ff80'ff80;
  uint64_t seen = 0;
  if (length < kNarrowBlock) {
    for (size_t i = 0; i < length; i++) {
      seen |= units[i];
      to[i] = static_cast<uint8_t>(units[i]);
    }
  } else {
    for (size_t at = 0; at < length - kNarrowBlock; at += kNarrowBlock) {
      seen |= NarrowBlock(to + at, units + at);
    }
    seen |= NarrowBlock(to + (length - kNarrowBlock), units + (length - kNarrowBlock));
  }
  return (seen & kNotAscii) == 0;
}

}  // namespace shardlog::engine
