// The fields of a record: keys from its template, values from the record
// (docs/reference/record-format.md, sections 3.2 and 4).
#pragma once

#include <cstddef>
#include <cstdint>

namespace shardlog::record {

// Bytes still to be read: [from, end). `readable_end` is where the memory around them ends; nothing
// at or behind it is read.
struct Source {
  const uint8_t* from = nullptr;
  const uint8_t* end = nullptr;
  const uint8_t* readable_end = nullptr;

  size_t left() const { return static_cast<size_t>(end - from); }
};

// A text in the segment.
struct Text {
  const uint8_t* from = nullptr;
  size_t size = 0;
};

// The most that a value of a kind other than string and json can take when printed.
inline constexpr size_t kValueBytes = 32;

// Writes `count` keys and values, but those that are absent. `keys` are those of a template with
// that many. Returns the end of the text, or nullptr if a value breaks the page or ends outside.
char* WriteFields(char* to, const uint8_t* keys, uint32_t count, Source* values);

// Writes a key and the value behind it, or nothing if that is absent. Returns as WriteFields.
char* WriteField(char* to, Text key, Source* value);

// Moves on by `count` values. False if one of them breaks the page or ends outside.
bool SkipValues(uint32_t count, Source* values);

// Takes a value that is a string or json. False if it is neither, or ends outside.
bool TakeText(Source* value, Text* text);

}  // namespace shardlog::record
