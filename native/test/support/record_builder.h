// Writes records (docs/reference/record-format.md) into a segment's worth of entries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "record/merge.h"
#include "record/wire.h"

namespace shardlog::test {

// Bytes that numbers are appended to as they lie in the arena.
class Bytes {
 public:
  template <typename T>
  requires std::is_arithmetic_v<T> Bytes& Add(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& Add(std::string_view text) {
    bytes_.append(text);
    return *this;
  }
  Bytes& Add(const char* text) { return Add(std::string_view(text)); }
  Bytes& Add(const std::string& text) { return Add(std::string_view(text)); }
  Bytes& Add(const Bytes& other) { return Add(other.view()); }
  size_t size() const { return bytes_.size(); }
  std::string_view view() const { return bytes_; }
  uint8_t* data() { return reinterpret_cast<uint8_t*>(bytes_.data()); }

 private:
  std::string bytes_;
};

// Values, one after the other (section 3.2).
class Values : public Bytes {
 public:
  Values& Absent() { return Tagged(record::Tag::kAbsent); }
  Values& Null() { return Tagged(record::Tag::kNull); }
  Values& Bool(bool value) { return Tagged(value ? record::Tag::kTrue : record::Tag::kFalse); }
  Values& Int(int32_t value) {
    Tagged(record::Tag::kInt).Add(value);
    return *this;
  }
  Values& Number(double value) {
    Tagged(record::Tag::kNumber).Add(value);
    return *this;
  }
  Values& Short(std::string_view text) {
    Tagged(record::Tag::kShortString).Add(static_cast<uint8_t>(text.size())).Add(text);
    return *this;
  }
  Values& String(std::string_view text) {
    Tagged(record::Tag::kString).Add(static_cast<uint32_t>(text.size())).Add(text);
    return *this;
  }
  Values& Json(std::string_view text) {
    Tagged(record::Tag::kJson).Add(static_cast<uint32_t>(text.size())).Add(text);
    return *this;
  }

 private:
  Values& Tagged(record::Tag tag) {
    Add(static_cast<uint8_t>(tag));
    return *this;
  }
};

inline Bytes Definition(uint32_t id, record::Defines what, std::string_view body) {
  Bytes bytes;
  bytes.Add(id).Add(static_cast<uint8_t>(what)).Add(static_cast<uint32_t>(body.size())).Add(body);
  return bytes;
}

inline Bytes StringDefinition(uint32_t id, std::string_view text) {
  return Definition(id, record::Defines::kString, text);
}

// What lines have in common; texts as they are printed.
struct Template {
  record::TimeForm time_form = record::TimeForm::kNone;
  record::MessageForm message_form = record::MessageForm::kNone;
  std::string head = "{";
  std::string message = "";
  std::vector<std::string> keys = {};
};

inline Bytes TemplateDefinition(uint32_t id, const Template& what) {
  Bytes body;
  body.Add(static_cast<uint8_t>(what.time_form)).Add(static_cast<uint8_t>(what.message_form));
  body.Add(static_cast<uint16_t>(what.head.size())).Add(what.head);
  body.Add(static_cast<uint16_t>(what.message.size())).Add(what.message);
  for (const std::string& key : what.keys) body.Add(static_cast<uint16_t>(key.size())).Add(key);
  return Definition(id, record::Defines::kTemplate, body.view());
}

inline Bytes Record(const record::RecordHeader& header, const Bytes& rest) {
  Bytes bytes;
  bytes.Add(std::string(record::kRecordHeaderBytes, '\0'));
  record::EncodeRecordHeader(bytes.data(), header);
  bytes.Add(rest);
  return bytes;
}

inline Bytes Bundle(const std::vector<Bytes>& definitions, const Bytes& record) {
  Bytes bytes;
  bytes.Add(static_cast<uint8_t>(record::Kind::kBundle));
  bytes.Add(static_cast<uint8_t>(definitions.size()));
  for (const Bytes& definition : definitions) bytes.Add(definition);
  bytes.Add(record);
  return bytes;
}

inline Bytes TextLine(double time, std::string_view line) {
  Bytes bytes;
  bytes.Add(static_cast<uint8_t>(record::Kind::kText)).Add(time).Add(line);
  return bytes;
}

// Entries of a segment; their view is of memory of exactly their size, so that a sanitizer sees a
// read behind it.
class Segment {
 public:
  Segment& Add(const Bytes& payload) {
    entries_.Add(static_cast<uint32_t>(payload.size())).Add(payload);
    return *this;
  }
  Segment& AddRaw(const Bytes& bytes) {
    entries_.Add(bytes);
    return *this;
  }
  size_t size() const { return entries_.size(); }
  // Valid until the next Add.
  record::SegmentView view() {
    exact_ = std::vector<uint8_t>(entries_.data(), entries_.data() + entries_.size());
    return {exact_.data(), exact_.size()};
  }

 private:
  Bytes entries_;
  std::vector<uint8_t> exact_;
};

}  // namespace shardlog::test
