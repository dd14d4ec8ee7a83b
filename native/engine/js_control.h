// The words that a producer and JavaScript share, of a log or of a recorder. lib/engine/lease.ts
// names the same places, and test/unit/control-words.test.ts holds the two together.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/narrow.h"

namespace shardlog::engine {

// One producer's words: the lease, as JavaScript may use it by itself, and what the two tell each
// other about the entry that is being written.
//
// Thread: the producer's own, in native calls and between them; other threads read kAccepted.
struct JsControl {
  static constexpr size_t kWord = 0;      // index of the segment's offset word in the arena's words
  static constexpr size_t kBuffer = 1;    // index of the shard's buffer, or 0 for the draft
  static constexpr size_t kStart = 2;     // of the segment in that buffer
  static constexpr size_t kLimit = 3;     // of the room for entries, from the segment's start
  static constexpr size_t kAccepted = 4;  // entries accepted by JavaScript, modulo 2^32
  static constexpr size_t kSerial = 5;    // changes with the lease
  // End of the entry to publish, from the segment's start; 0 once it was accepted. For a text:
  // where it goes, then its bytes.
  static constexpr size_t kEnd = 6;
  static constexpr size_t kTime = 7;  // where the time goes, from the segment's start; 0: nowhere
  // Where texts go that JavaScript gives to `publish`, from the segment's start.
  static constexpr size_t kTexts = 8;
  static constexpr size_t kMostTexts = 4;
  static constexpr size_t kWords = kTexts + kMostTexts;

  int32_t words[kWords] = {};

  // Writes the text of a number to the place that JavaScript has left for it in the entry it is
  // writing: a byte for each unit, behind a byte that says how many, in `memory` between `begin`
  // and `end`. False if there is no such place or the text is not ASCII.
  bool PutText(size_t index, const char16_t* units, size_t length, uint8_t* memory, size_t begin,
               size_t end) const {
    const auto at = static_cast<uint32_t>(words[kTexts + index]);
    if (at <= begin || at > end || length > end - at || memory[at - 1] != length) return false;
    return Narrow(memory + at, units, length);
  }
};

// What a producer answers whom it is asked for another lease.
enum class Renewal : uint32_t {
  kTakeCall = 0,  // only Append may be used now
  kRenewed = 1,
  kDropped = 2  // there is no room; an entry was counted as dropped for it
};

}  // namespace shardlog::engine
