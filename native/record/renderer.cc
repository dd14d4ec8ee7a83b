#include "record/renderer.h"

#include "format/block.h"
#include "record/copy_text.h"
#include "record/json_text.h"

namespace shardlog::record {
namespace {

// Up to here a line's bound is taken to be all escapes, without a look at the bytes.
constexpr size_t kUncountedBytes = 4096;

bool HasLast(const RecordHeader& header) {
  return static_cast<TimeForm>(header.time_form) == TimeForm::kText ||
         header.message == kMessageInRecord;
}

}  // namespace

void SegmentRenderer::Open(const uint8_t* entries, size_t valid) {
  dictionary_.Reset();
  at_ = entries;
  end_ = entries + valid;
}

bool SegmentRenderer::Next() {
  while (at_ < end_) {
    const auto left = static_cast<size_t>(end_ - at_);
    const size_t size = left < format::kEntryPrefixBytes ? 0 : format::Load<uint32_t>(at_);
    if (size == 0 || size > left - format::kEntryPrefixBytes) {
      at_ = end_;
      damaged_++;
      return false;
    }
    const Text payload{at_ + format::kEntryPrefixBytes, size};
    at_ = payload.from + size;
    if (Enter(payload)) return true;
    damaged_++;
  }
  return false;
}

bool SegmentRenderer::Enter(Text payload) {
  switch (static_cast<Kind>(payload.from[0])) {
    case Kind::kText:
      // A line of no bytes could not be stored as an entry.
      if (payload.size <= kTextLineOffset) return false;
      payload_ = payload;
      time_ = format::Load<double>(payload.from + kTextTimeOffset);
      return true;
    case Kind::kRecord:
      return EnterRecord(payload);
    case Kind::kBundle:
      return EnterBundle(payload);
  }
  return false;
}

bool SegmentRenderer::EnterRecord(Text payload) {
  if (payload.size < kRecordHeaderBytes) return false;
  payload_ = payload;
  time_ = format::Load<double>(payload.from + kRecordTimeOffset);
  return true;
}

bool SegmentRenderer::EnterBundle(Text payload) {
  if (payload.size < kBundleDefinitionsOffset) return false;
  const uint8_t* const end = payload.from + payload.size;
  const uint8_t* at = payload.from + kBundleDefinitionsOffset;
  for (int left = payload.from[kBundleCountOffset]; left > 0; left--) {
    at = dictionary_.Define(at, end);
    if (at == nullptr) return false;
  }
  if (at == end || static_cast<Kind>(*at) != Kind::kRecord) return false;
  return EnterRecord({at, static_cast<size_t>(end - at)});
}

bool SegmentRenderer::Append(LineBuffer* out) {
  if (static_cast<Kind>(payload_.from[0]) == Kind::kText) {
    AppendText(out);
    return true;
  }
  const bool whole = AppendRecord(out);
  if (!whole) damaged_++;
  return whole;
}

void SegmentRenderer::AppendText(LineBuffer* out) const {
  const size_t size = payload_.size - kTextLineOffset;
  char* const line = out->BeginLine(size);
  out->EndLine(CopyText(line, payload_.from + kTextLineOffset, size, end_));
}

bool SegmentRenderer::AppendRecord(LineBuffer* out) {
  const RecordHeader header = DecodeRecordHeader(payload_.from);
  Parts parts;
  if (!FindParts(header, &parts)) return false;
  char* const line = out->BeginLine(Bound(header, parts));
  char* const end = WriteLine(line, header, &parts);
  if (end == nullptr) return false;
  out->EndLine(end);
  return true;
}

bool SegmentRenderer::FindParts(const RecordHeader& header, Parts* parts) const {
  if (!FindString(header.head, &parts->head)) return false;
  if (header.bindings != kNoId && !FindString(header.bindings, &parts->bindings)) return false;
  if (header.message != kNoId && header.message != kMessageInRecord &&
      !FindString(header.message, &parts->message)) {
    return false;
  }
  if (!FindShape(header, parts)) return false;
  parts->values = {payload_.from + kRecordHeaderBytes, payload_.from + payload_.size, end_};
  return !HasLast(header) || FindLast(header, parts);
}

bool SegmentRenderer::FindString(uint32_t id, Text* text) const {
  const Definition* const found = dictionary_.String(id);
  if (found == nullptr) return false;
  *text = {found->bytes, found->size};
  return true;
}

bool SegmentRenderer::FindShape(const RecordHeader& header, Parts* parts) const {
  if (header.shape == kNoId) return header.count == 0;
  const Definition* const shape = dictionary_.Shape(header.shape);
  if (shape == nullptr || shape->keys != header.count) return false;
  parts->keys = {shape->bytes, shape->size};
  return true;
}

// timeText, which stands behind the values but is printed before them, and the message's key, whose
// size has to be known before there is room for the line.
bool SegmentRenderer::FindLast(const RecordHeader& header, Parts* parts) const {
  Source at = parts->values;
  if (!SkipValues(header.count, &at)) return false;
  if (static_cast<TimeForm>(header.time_form) == TimeForm::kText &&
      !TakeText(&at, &parts->time_text)) {
    return false;
  }
  if (header.message == kMessageInRecord) {
    if (at.left() < sizeof(uint32_t)) return false;
    if (!FindString(format::Load<uint32_t>(at.from), &parts->message)) return false;
    at.from += sizeof(uint32_t);
  }
  parts->last = at;
  return true;
}

// The most bytes that the line can take.
size_t SegmentRenderer::Bound(const RecordHeader& header, const Parts& parts) const {
  constexpr size_t kBraceAndNewline = 2;
  const size_t fixed = parts.head.size + parts.bindings.size + parts.message.size +
                       parts.keys.size + TimeText::kBytes + kBraceAndNewline;
  if (payload_.size <= kUncountedBytes) return fixed + payload_.size * kEscapedBytes;
  return fixed + payload_.size + CountEscaped(payload_.from, payload_.size) * (kEscapedBytes - 1) +
         (header.count + size_t{1}) * kValueBytes;
}

// Returns the end of the line, or nullptr if the record is damaged.
char* SegmentRenderer::WriteLine(char* to, const RecordHeader& header, Parts* parts) {
  to = CopyText(to, parts->head.from, parts->head.size, end_);
  to = WriteTime(to, header, *parts);
  if (to == nullptr) return nullptr;
  if (parts->bindings.size != 0) {
    to = CopyText(to, parts->bindings.from, parts->bindings.size, end_);
  }
  to = WriteFields(to, parts->keys.from, header.count, &parts->values);
  if (to == nullptr) return nullptr;
  Source* const rest = HasLast(header) ? &parts->last : &parts->values;
  if (header.message == kMessageInRecord) {
    to = WriteField(to, parts->message, rest);
    if (to == nullptr) return nullptr;
  } else if (parts->message.size != 0) {
    to = CopyText(to, parts->message.from, parts->message.size, end_);
  }
  return rest->left() == 0 ? CopyLiteral(to, "}\n") : nullptr;
}

char* SegmentRenderer::WriteTime(char* to, const RecordHeader& header, const Parts& parts) {
  switch (static_cast<TimeForm>(header.time_form)) {
    case TimeForm::kNone:
      return to;
    case TimeForm::kMilliseconds:
    case TimeForm::kSeconds:
    case TimeForm::kIso:
      return time_text_.Write(to, static_cast<TimeForm>(header.time_form), header.time);
    case TimeForm::kText:
      return CopyText(to, parts.time_text.from, parts.time_text.size, end_);
  }
  return nullptr;
}

}  // namespace shardlog::record
