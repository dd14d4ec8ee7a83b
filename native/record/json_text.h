// Strings as JSON (docs/reference/record-format.md, section 3.3).
#pragma once

#include <cstddef>
#include <cstdint>

namespace shardlog::record {

// The most that a byte of a string can become: \u00xx.
inline constexpr size_t kEscapedBytes = 6;

// Writes `size` bytes of UTF-8 in quotes, escaped; returns the end of the text. Room for
// 2 + kEscapedBytes * size and 16 more is needed at `to`. Reads nothing at or behind
// `readable_end`, which lies in the same memory as `from`.
char* WriteJsonString(char* to, const uint8_t* from, size_t size, const uint8_t* readable_end);

// Number of bytes in [from, from + size) that are escaped in a JSON string.
size_t CountEscaped(const uint8_t* from, size_t size);

// Index of the first of 16 bytes that is escaped, or 16: as this processor does it, and in the form
// for processors without 16-byte registers; public for the tests.
size_t FirstEscaped(const uint8_t* from);
size_t FirstEscapedPortable(const uint8_t* from);

}  // namespace shardlog::record
