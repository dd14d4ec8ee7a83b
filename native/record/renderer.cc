#include "record/renderer.h"

#include "format/block.h"
#include "record/copy_text.h"
#include "record/json_text.h"

namespace shardlog::record {
namespace {

// Up to here a line's bound is taken to be all escapes, without a look at the bytes.
constexpr size_t kUncountedBytes = 4096;

}  // namespace

void SegmentRenderer::Open(const uint8_t* entries, size_t valid, const SpillSource* spills) {
  dictionary_.Reset();
  spills_ = spills;
  at_ = entries;
  end_ = entries + valid;
}

bool SegmentRenderer::OpenPayload(const uint8_t* payload, size_t size) {
  Open(payload + size, 0);
  return size != 0 && Enter(payload);
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
    const uint8_t* const payload = at_ + format::kEntryPrefixBytes;
    at_ = payload + size;
    if (Enter(payload)) return true;
    damaged_++;
  }
  return false;
}

// Payloads end at at_.
bool SegmentRenderer::Enter(const uint8_t* payload) {
  switch (static_cast<Kind>(payload[0])) {
    case Kind::kText:
      // A line of no bytes could not be stored as an entry.
      if (static_cast<size_t>(at_ - payload) <= kTextLineOffset) return false;
      payload_ = payload;
      time_ = format::Load<double>(payload + kTextTimeOffset);
      return true;
    case Kind::kRecord:
      return EnterRecord(payload);
    case Kind::kBundle:
      return EnterBundle(payload);
    case Kind::kSpilled:
      if (static_cast<size_t>(at_ - payload) != kSpilledBytes) return false;
      payload_ = payload;
      time_ = format::Load<double>(payload + kSpilledTimeOffset);
      return true;
  }
  return false;
}

bool SegmentRenderer::EnterRecord(const uint8_t* record) {
  if (static_cast<size_t>(at_ - record) < kRecordHeaderBytes) return false;
  payload_ = record;
  time_ = format::Load<double>(record + kRecordTimeOffset);
  return true;
}

bool SegmentRenderer::EnterBundle(const uint8_t* payload) {
  if (static_cast<size_t>(at_ - payload) < kBundleDefinitionsOffset) return false;
  const uint8_t* at = payload + kBundleDefinitionsOffset;
  for (int left = payload[kBundleCountOffset]; left > 0; left--) {
    at = dictionary_.Define(at, at_);
    if (at == nullptr) return false;
  }
  return at != at_ && static_cast<Kind>(*at) == Kind::kRecord && EnterRecord(at);
}

bool SegmentRenderer::Append(LineBuffer* out) {
  const bool whole = Render(out);
  if (!whole) damaged_++;
  return whole;
}

bool SegmentRenderer::Render(LineBuffer* out) {
  switch (static_cast<Kind>(payload_[0])) {
    case Kind::kText:
      AppendText(out);
      return true;
    case Kind::kSpilled:
      return AppendSpilled(out);
    default:
      return AppendRecord(out);
  }
}

// What the spill defines is for its own line alone: `dictionary_` stays as it is.
bool SegmentRenderer::AppendSpilled(LineBuffer* out) {
  const Spilled spilled = DecodeSpilled(payload_);
  if (spills_ == nullptr) return false;
  const std::shared_ptr<const uint8_t[]> payload = spills_->Load(spilled);
  if (payload == nullptr) return false;
  if (of_spilled_ == nullptr) of_spilled_ = std::make_unique<SegmentRenderer>();
  const size_t before = out->size();
  if (!of_spilled_->OpenPayload(payload.get(), spilled.size) || !of_spilled_->Append(out)) {
    return false;
  }
  if (out->size() - before <= out->most_bytes()) return true;
  out->Undo(before);
  return false;
}

void SegmentRenderer::AppendText(LineBuffer* out) const {
  const size_t size = payload_size() - kTextLineOffset;
  char* const line = out->BeginLine(size);
  out->EndLine(CopyText(line, payload_ + kTextLineOffset, size, end_));
}

bool SegmentRenderer::AppendRecord(LineBuffer* out) {
  const RecordHeader header = DecodeRecordHeader(payload_);
  Parts parts;
  if (!FindParts(header, &parts)) return false;
  char* const line = out->BeginLine(Bound(parts));
  char* const end = WriteLine(line, header.time, &parts);
  if (end == nullptr) return false;
  out->EndLine(end);
  return true;
}

bool SegmentRenderer::FindParts(const RecordHeader& header, Parts* parts) const {
  if (!FindTemplate(header.template_id, parts)) return false;
  if (header.bindings != kNoId) {
    const Definition* const bindings = dictionary_.String(header.bindings);
    if (bindings == nullptr) return false;
    parts->bindings = {bindings->bytes, bindings->size};
  }
  parts->values = {payload_ + kRecordHeaderBytes, at_, end_};
  if (parts->time_form != TimeForm::kText) return true;
  // It stands behind the values but is printed before them.
  Source at = parts->values;
  return SkipValues(parts->count, &at) && TakeText(&at, &parts->time_text);
}

bool SegmentRenderer::FindTemplate(uint32_t id, Parts* parts) const {
  const Definition* const found = dictionary_.Template(id);
  if (found == nullptr) return false;
  const TemplateText head = TextAt(found->bytes + kTemplateHeadOffset);
  const TemplateText message = TextAt(head.end());
  parts->time_form = static_cast<TimeForm>(found->bytes[kTemplateTimeFormOffset]);
  parts->message_form = static_cast<MessageForm>(found->bytes[kTemplateMessageFormOffset]);
  parts->count = found->keys;
  parts->head = {head.bytes, head.size};
  parts->message = {message.bytes, message.size};
  parts->keys = message.end();
  parts->keys_size = found->size - static_cast<size_t>(message.end() - found->bytes);
  return true;
}

// The most bytes that the line can take.
size_t SegmentRenderer::Bound(const Parts& parts) const {
  constexpr size_t kBraceAndNewline = 2;
  const size_t fixed = parts.head.size + parts.bindings.size + parts.message.size +
                       parts.keys_size + TimeText::kBytes + kBraceAndNewline;
  const size_t size = payload_size();
  if (size <= kUncountedBytes) return fixed + size * kEscapedBytes;
  return fixed + size + CountEscaped(payload_, size) * (kEscapedBytes - 1) +
         (parts.count + size_t{1}) * kValueBytes;
}

// Returns the end of the line, or nullptr if the record is damaged.
char* SegmentRenderer::WriteLine(char* to, double time, Parts* parts) {
  to = CopyText(to, parts->head.from, parts->head.size, end_);
  to = WriteTime(to, time, *parts);
  if (to == nullptr) return nullptr;
  if (parts->bindings.size != 0) {
    to = CopyText(to, parts->bindings.from, parts->bindings.size, end_);
  }
  to = WriteFields(to, parts->keys, parts->count, &parts->values);
  if (to == nullptr) return nullptr;
  if (parts->time_form == TimeForm::kText) {
    parts->values.from = parts->time_text.from + parts->time_text.size;
  }
  if (parts->message_form == MessageForm::kInRecord) {
    to = WriteField(to, parts->message, &parts->values);
    if (to == nullptr) return nullptr;
  } else if (parts->message_form == MessageForm::kFixed) {
    to = CopyText(to, parts->message.from, parts->message.size, end_);
  }
  return parts->values.left() == 0 ? CopyLiteral(to, "}\n") : nullptr;
}

char* SegmentRenderer::WriteTime(char* to, double time, const Parts& parts) {
  switch (parts.time_form) {
    case TimeForm::kNone:
      return to;
    case TimeForm::kMilliseconds:
    case TimeForm::kSeconds:
    case TimeForm::kIso:
      return time_text_.Write(to, parts.time_form, time);
    case TimeForm::kText:
      return CopyText(to, parts.time_text.from, parts.time_text.size, end_);
  }
  return nullptr;
}

}  // namespace shardlog::record
