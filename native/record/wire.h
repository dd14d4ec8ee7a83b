// Constants and byte layouts of structured records. The normative text is
// docs/reference/record-format.md; section and rule numbers are its. Everything is little-endian
// and unaligned.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/block.h"

namespace shardlog::record {

// Section 2: the first byte of a payload.
enum class Kind : uint8_t { kText = 1, kRecord = 2, kBundle = 3, kSpilled = 4 };

inline constexpr size_t kTextTimeOffset = 1;
inline constexpr size_t kTextLineOffset = 9;

inline constexpr size_t kBundleCountOffset = 1;
inline constexpr size_t kBundleDefinitionsOffset = 2;

// Section 2.1: a payload that lies elsewhere.
inline constexpr size_t kSpilledTimeOffset = 1;
inline constexpr size_t kSpilledIdOffset = 9;
inline constexpr size_t kSpilledSizeOffset = 17;
inline constexpr size_t kSpilledCrcOffset = 25;
inline constexpr size_t kSpilledBytes = 29;

struct Spilled {
  double time = 0;    // that of the payload
  uint64_t id = 0;    // of the spill
  uint64_t size = 0;  // of the payload
  uint32_t crc = 0;   // CRC-32C of the payload
};

// `from` has kSpilledBytes readable bytes.
inline Spilled DecodeSpilled(const uint8_t* from) {
  return {format::Load<double>(from + kSpilledTimeOffset),
          format::Load<uint64_t>(from + kSpilledIdOffset),
          format::Load<uint64_t>(from + kSpilledSizeOffset),
          format::Load<uint32_t>(from + kSpilledCrcOffset)};
}

inline void EncodeSpilled(uint8_t* to, const Spilled& spilled) {
  to[0] = static_cast<uint8_t>(Kind::kSpilled);
  format::Store(to + kSpilledTimeOffset, spilled.time);
  format::Store(to + kSpilledIdOffset, spilled.id);
  format::Store(to + kSpilledSizeOffset, spilled.size);
  format::Store(to + kSpilledCrcOffset, spilled.crc);
}

// Section 3: the fixed part of a RECORD.
inline constexpr size_t kRecordTemplateOffset = 1;
inline constexpr size_t kRecordBindingsOffset = 5;
inline constexpr size_t kRecordTimeOffset = 9;
inline constexpr size_t kRecordHeaderBytes = 17;

struct RecordHeader {
  uint32_t template_id;
  uint32_t bindings;
  double time;  // ms since the epoch
};

// `from` has kRecordHeaderBytes readable bytes.
inline RecordHeader DecodeRecordHeader(const uint8_t* from) {
  return {format::Load<uint32_t>(from + kRecordTemplateOffset),
          format::Load<uint32_t>(from + kRecordBindingsOffset),
          format::Load<double>(from + kRecordTimeOffset)};
}

inline void EncodeRecordHeader(uint8_t* to, const RecordHeader& header) {
  to[0] = static_cast<uint8_t>(Kind::kRecord);
  format::Store(to + kRecordTemplateOffset, header.template_id);
  format::Store(to + kRecordBindingsOffset, header.bindings);
  format::Store(to + kRecordTimeOffset, header.time);
}

inline constexpr uint32_t kNoId = 0;  // nothing, where an id may be left out

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
enum class Defines : uint8_t { kString = 1, kTemplate = 2 };
enum class MessageForm : uint8_t { kNone = 0, kFixed = 1, kInRecord = 2 };

inline constexpr size_t kDefinitionWhatOffset = 4;
inline constexpr size_t kDefinitionLengthOffset = 5;
inline constexpr size_t kDefinitionHeaderBytes = 9;
inline constexpr size_t kTemplateTimeFormOffset = 0;
inline constexpr size_t kTemplateMessageFormOffset = 1;
inline constexpr size_t kTemplateHeadOffset = 2;
inline constexpr size_t kTextPrefixBytes = 2;

}  // namespace shardlog::record
