// Numbers as JSON.stringify prints them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shardlog::record {

// Room that the functions below need at `to`: the longest number has 25 characters
// (-1.2345678901234567e-308 and the like), and they may scribble behind what they return.
inline constexpr size_t kNumberBytes = 40;

// Each returns the end of the text.

char* WriteInt(char* to, int32_t value);

// Any value; not only those that a double can hold.
char* WriteUint64(char* to, uint64_t value);

// ECMAScript's Number::toString (ECMA-262, 6.1.6.1.20), with `null` for what is not finite.
char* WriteNumber(char* to, double value);

// `value` in exactly `digits` (1 to 9) digits, zeros in front; it has no more.
void WritePadded(char* to, uint32_t value, int digits);

}  // namespace shardlog::record
