// Constants and byte layouts of structured records. The normative text is docs/record-format.md;
// section and rule numbers are its. Everything is little-endian and unaligned.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/block.h"

namespace shardlog::record {

// Section 2: the first byte of a payload.
enum class Kind : uint8_t { kText = 1, kRecord = 2, kBundle = 3 };

inline constexpr size_t kTextTimeOffset = 1;
inline constexpr size_t kTextLineOffset = 9;

inline constexpr size_t kBundleCountOffset = 1;
inline constexpr size_t kBundleDefinitionsOffset = 2;

// Section 3: the fixed part of a RECORD.
inline constexpr size_t kRecordTimeOffset = 4;
inline constexpr size_t kRecordHeaderBytes = 28;

struct RecordHeader {
  uint8_t time_form;
  uint16_t count;
  double time;  // ms since the epoch
  uint32_t head;
  uint32_t bindings;
  uint32_t shape;
  uint32_t message;
};

// `from` has kRecordHeaderBytes readable bytes.
inline RecordHeader DecodeRecordHeader(const uint8_t* from) {
  return {from[1],
          format::Load<uint16_t>(from + 2),
          format::Load<double>(from + kRecordTimeOffset),
          format::Load<uint32_t>(from + 12),
          format::Load<uint32_t>(from + 16),
          format::Load<uint32_t>(from + 20),
          format::Load<uint32_t>(from + 24)};
}

inline void EncodeRecordHeader(uint8_t* to, const RecordHeader& header) {
  to[0] = static_cast<uint8_t>(Kind::kRecord);
  to[1] = header.time_form;
  format::Store(to + 2, header.count);
  format::Store(to + kRecordTimeOffset, header.time);
  format::Store(to + 12, header.head);
  format::Store(to + 16, header.bindings);
  format::Store(to + 20, header.shape);
  format::Store(to + 24, header.message);
}

inline constexpr uint32_t kNoId = 0;                       // nothing, where an id may be left out
inline constexpr uint32_t kMessageInRecord = 0xFFFFFFFFu;  // key and value follow the fields

// Section 3.1.
enum class TimeForm : uint8_t { kNone = 0, kMilliseconds = 1, kSeconds = 2, kIso = 3, kText = 4 };

// Section 3.2.
enum class Tag : uint8_t {
  kAbsent = 0,
  kNull = 1,
  kFalse = 2,
  kTrue = 3,
  kInt = 4,
  kNumber = 5,
  kShortString = 6,
  kString = 7,
  kJson = 8
};

// Section 4.
enum class Defines : uint8_t { kString = 1, kShape = 2 };

inline constexpr size_t kDefinitionWhatOffset = 4;
inline constexpr size_t kDefinitionLengthOffset = 5;
inline constexpr size_t kDefinitionHeaderBytes = 9;
inline constexpr size_t kShapeKeyPrefixBytes = 2;

}  // namespace shardlog::record
