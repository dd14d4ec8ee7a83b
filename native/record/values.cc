#include "record/values.h"

#include "format/block.h"
#include "record/copy_text.h"
#include "record/json_text.h"
#include "record/number_text.h"
#include "record/wire.h"

namespace shardlog::record {
namespace {

// Takes `size` bytes.
inline bool Take(Source* source, size_t size, Text* text) {
  if (source->left() < size) return false;
  *text = {source->from, size};
  source->from += size;
  return true;
}

template <typename T>
inline bool TakeNumber(Source* source, T* value) {
  if (source->left() < sizeof(T)) return false;
  *value = format::Load<T>(source->from);
  source->from += sizeof(T);
  return true;
}

template <typename Length>
inline bool TakeSized(Source* source, Text* text) {
  Length length;
  return TakeNumber(source, &length) && Take(source, length, text);
}

template <typename Length>
inline char* WriteString(char* to, Source* source) {
  Text text;
  if (!TakeSized<Length>(source, &text)) return nullptr;
  return WriteJsonString(to, text.from, text.size, source->readable_end);
}

// Writes the value whose tag has been read.
inline char* WriteTagged(char* to, uint8_t tag, Source* source) {
  switch (static_cast<Tag>(tag)) {
    case Tag::kNull:
      return CopyLiteral(to, "null");
    case Tag::kFalse:
      return CopyLiteral(to, "false");
    case Tag::kTrue:
      return CopyLiteral(to, "true");
    case Tag::kInt: {
      int32_t value;
      return TakeNumber(source, &value) ? WriteInt(to, value) : nullptr;
    }
    case Tag::kNumber: {
      double value;
      return TakeNumber(source, &value) ? WriteNumber(to, value) : nullptr;
    }
    case Tag::kShortString:
      return WriteString<uint8_t>(to, source);
    case Tag::kString:
      return WriteString<uint32_t>(to, source);
    case Tag::kJson: {
      Text text;
      if (!TakeSized<uint32_t>(source, &text)) return nullptr;
      return CopyText(to, text.from, text.size, source->readable_end);
    }
    default:
      return nullptr;
  }
}

inline char* WriteOne(char* to, Text key, Source* source) {
  if (source->left() == 0) return nullptr;
  const uint8_t tag = *source->from++;
  if (static_cast<Tag>(tag) == Tag::kAbsent) return to;
  to = CopyText(to, key.from, key.size, source->readable_end);
  return WriteTagged(to, tag, source);
}

bool SkipTagged(uint8_t tag, Source* source) {
  Text ignored;
  switch (static_cast<Tag>(tag)) {
    case Tag::kAbsent:
    case Tag::kNull:
    case Tag::kFalse:
    case Tag::kTrue:
      return true;
    case Tag::kInt:
      return Take(source, sizeof(int32_t), &ignored);
    case Tag::kNumber:
      return Take(source, sizeof(double), &ignored);
    case Tag::kShortString:
      return TakeSized<uint8_t>(source, &ignored);
    case Tag::kString:
    case Tag::kJson:
      return TakeSized<uint32_t>(source, &ignored);
  }
  return false;
}

}  // namespace

char* WriteFields(char* to, const uint8_t* keys, uint32_t count, Source* values) {
  Source source = *values;  // a local one can live in registers
  for (uint32_t i = 0; i < count && to != nullptr; i++) {
    const size_t size = format::Load<uint16_t>(keys);
    keys += kTextPrefixBytes;
    to = WriteOne(to, {keys, size}, &source);
    keys += size;
  }
  *values = source;
  return to;
}

char* WriteField(char* to, Text key, Source* value) { return WriteOne(to, key, value); }

bool SkipValues(uint32_t count, Source* values) {
  for (uint32_t i = 0; i < count; i++) {
    if (values->left() == 0) return false;
    const uint8_t tag = *values->from++;
    if (!SkipTagged(tag, values)) return false;
  }
  return true;
}

bool TakeText(Source* value, Text* text) {
  if (value->left() == 0) return false;
  switch (static_cast<Tag>(*value->from++)) {
    case Tag::kShortString:
      return TakeSized<uint8_t>(value, text);
    case Tag::kString:
    case Tag::kJson:
      return TakeSized<uint32_t>(value, text);
    default:
      return false;
  }
}

}  // namespace shardlog::record
