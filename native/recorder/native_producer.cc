#include "recorder/native_producer.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "platform/clock.h"
#include "record/json_text.h"

namespace shardlog::recorder {
namespace {

using record::Defines;
using record::Kind;
using record::Tag;

constexpr double kNsPerMs = 1e6;
// Of each kind; with more they start over, as a program may put what varies into its messages.
constexpr size_t kMostDefinitions = 1000;
constexpr size_t kMostShortBytes = UINT8_MAX;
constexpr size_t kMostTextBytes = UINT16_MAX;
// What WriteJsonString needs beyond the text itself.
constexpr size_t kJsonRoom = 2 + 16;

template <typename T>
void Put(std::string* to, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  to->append(bytes, sizeof value);
}

void PutTag(std::string* to, Tag tag) { to->push_back(static_cast<char>(tag)); }

void PutQuoted(std::string* to, std::string_view text) {
  // The writer looks at 16 bytes at a time.
  const std::string from(text);
  const auto* const bytes = reinterpret_cast<const uint8_t*>(from.data());
  const size_t at = to->size();
  to->resize(at + record::kEscapedBytes * text.size() + kJsonRoom);
  const char* const end =
      record::WriteJsonString(to->data() + at, bytes, text.size(), bytes + text.size());
  to->resize(static_cast<size_t>(end - to->data()));
}

// A text of a template: behind its length. False: too long.
template <typename Write>
bool PutText(std::string* to, const Write& write) {
  const size_t at = to->size();
  to->append(record::kTextPrefixBytes, '\0');
  write();
  const size_t length = to->size() - at - record::kTextPrefixBytes;
  if (length > kMostTextBytes) return false;
  const auto prefix = static_cast<uint16_t>(length);
  std::memcpy(to->data() + at, &prefix, sizeof prefix);
  return true;
}

void PutNumber(std::string* to, double value) {
  PutTag(to, Tag::kNumber);
  Put(to, value);
}

void PutValue(std::string* to, const shardlog_field& field) {
  switch (field.kind) {
    case SHARDLOG_BOOL:
      return PutTag(to, field.value.boolean ? Tag::kTrue : Tag::kFalse);
    case SHARDLOG_INT: {
      const int64_t value = field.value.integer;
      if (value == static_cast<int32_t>(value)) {
        PutTag(to, Tag::kInt);
        return Put(to, static_cast<int32_t>(value));
      }
      return PutNumber(to, static_cast<double>(value));
    }
    case SHARDLOG_NUMBER:
      return PutNumber(to, field.value.number);
    case SHARDLOG_STRING:
    case SHARDLOG_JSON: {
      const auto [data, bytes] = field.value.text;
      if (field.kind == SHARDLOG_STRING && bytes <= kMostShortBytes) {
        PutTag(to, Tag::kShortString);
        to->push_back(static_cast<char>(bytes));
      } else {
        PutTag(to, field.kind == SHARDLOG_STRING ? Tag::kString : Tag::kJson);
        Put(to, static_cast<uint32_t>(bytes));
      }
      to->append(data, bytes);
      return;
    }
    case SHARDLOG_NULL:
      break;
  }
  PutTag(to, Tag::kNull);
}

bool PutTemplate(std::string* to, int32_t level, const std::string& message_key,
                 std::string_view message, const shardlog_field* fields, size_t count) {
  to->push_back(static_cast<char>(record::TimeForm::kMilliseconds));
  to->push_back(static_cast<char>(record::MessageForm::kFixed));
  const bool has_head = PutText(to, [&] {
    to->append("{\"level\":");
    to->append(std::to_string(level));
  });
  const bool has_message = PutText(to, [&] {
    to->push_back(',');
    PutQuoted(to, message_key);
    to->push_back(':');
    PutQuoted(to, message);
  });
  bool has_keys = true;
  for (size_t i = 0; i < count; i++) {
    has_keys &= PutText(to, [&] {
      to->push_back(',');
      PutQuoted(to, fields[i].key);
      to->push_back(':');
    });
  }
  return has_head && has_message && has_keys;
}

shardlog_producer* Attach(shardlog_recorder* recorder, uint32_t thread) {
  try {
    auto made = std::make_unique<shardlog_producer>(
        static_cast<NativeRecorder*>(recorder)->shared_from_this(), thread);
    return made->has_place() ? made.release() : nullptr;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

bool Record(shardlog_producer* producer, int32_t level, const char* target, const char* message,
            const shardlog_field* fields, size_t count) {
  try {
    return producer->Record(level, target == nullptr ? "" : target,
                            message == nullptr ? "" : message, fields, count);
  } catch (const std::exception&) {  // no memory for it, or longer than a string can be
    producer->CountDropped();
    return false;
  }
}

void Detach(shardlog_producer* producer) { delete producer; }

}  // namespace

NativeRecorder::NativeRecorder(std::shared_ptr<Ring> ring, Kept kept)
    : shardlog_recorder{SHARDLOG_RECORDER_VERSION, &Attach, &recorder::Record, &Detach},
      ring_(std::move(ring)),
      kept_(std::move(kept)) {}

}  // namespace shardlog::recorder

using shardlog::record::Defines;
using shardlog::record::Kind;
using shardlog::recorder::kMostDefinitions;

shardlog_producer::shardlog_producer(std::shared_ptr<shardlog::recorder::NativeRecorder> recorder,
                                     uint32_t thread)
    : recorder_(std::move(recorder)), producer_(recorder_->ring(), thread) {}

bool shardlog_producer::Record(int32_t level, std::string_view target, std::string_view message,
                               const shardlog_field* fields, size_t count) {
  const shardlog::recorder::Kept& kept = recorder_->kept();
  if (recorder_->closed() || static_cast<double>(level) < kept.least_level) return false;
  const size_t some = std::min<size_t>(count, kept.most_fields);
  Definition* const shape = Shape(level, message, fields, some);
  if (shape == nullptr) {
    CountDropped();
    return false;
  }
  Definition* const name = target.empty() ? nullptr : Name(target);
  record_.assign(shardlog::record::kRecordHeaderBytes, '\0');
  const double now =
      static_cast<double>(shardlog::platform::RealtimeNs()) / shardlog::recorder::kNsPerMs;
  shardlog::record::EncodeRecordHeader(
      reinterpret_cast<uint8_t*>(record_.data()),
      {shape->id, name == nullptr ? shardlog::record::kNoId : name->id, now});
  for (size_t i = 0; i < some; i++) shardlog::recorder::PutValue(&record_, fields[i]);
  if (!Append({shape, name})) return false;
  if (some < count) recorder_->ring()->CountTruncated(1);
  return true;
}

// The template of events with this message and these keys; null if a text is too long for one. What
// it is found by is quicker to put together than its body.
shardlog_producer::Definition* shardlog_producer::Shape(int32_t level, std::string_view message,
                                                        const shardlog_field* fields,
                                                        size_t count) {
  key_.clear();
  shardlog::recorder::Put(&key_, level);
  key_.append(message);
  for (size_t i = 0; i < count; i++) {
    key_.push_back('\0');
    key_.append(fields[i].key);
  }
  Definition* const found = Find(templates_);
  if (found != nullptr) return found;
  std::string body;
  const std::string& message_key = recorder_->kept().message_key;
  if (!shardlog::recorder::PutTemplate(&body, level, message_key, message, fields, count)) {
    return nullptr;
  }
  return Define(&templates_, Defines::kTemplate, body);
}

shardlog_producer::Definition* shardlog_producer::Name(std::string_view target) {
  key_.assign(target);
  Definition* const found = Find(targets_);
  if (found != nullptr) return found;
  std::string body = ",\"name\":";
  shardlog::recorder::PutQuoted(&body, target);
  return Define(&targets_, Defines::kString, body);
}

// By key_; null if there is none.
shardlog_producer::Definition* shardlog_producer::Find(Definitions& among) {
  const auto found = among.find(key_);
  return found == among.end() ? nullptr : &found->second;
}

shardlog_producer::Definition* shardlog_producer::Define(Definitions* among, Defines what,
                                                         const std::string& body) {
  if (among->size() >= kMostDefinitions) among->clear();
  Definition made;
  made.id = ++last_id_;
  shardlog::recorder::Put(&made.bytes, made.id);
  made.bytes.push_back(static_cast<char>(what));
  shardlog::recorder::Put(&made.bytes, static_cast<uint32_t>(body.size()));
  made.bytes.append(body);
  return &among->emplace(key_, std::move(made)).first->second;
}

// The bundle of what the run has not been told, and of the record; the record alone if it has been
// told all of it.
std::string_view shardlog_producer::ForRun(const std::array<Definition*, 2>& definitions,
                                           uint64_t run) {
  size_t count = 0;
  bundle_.assign(shardlog::record::kBundleDefinitionsOffset, static_cast<char>(Kind::kBundle));
  for (const Definition* definition : definitions) {
    if (definition == nullptr || (run != 0 && definition->run == run)) continue;
    bundle_.append(definition->bytes);
    count++;
  }
  if (count == 0) return record_;
  bundle_[shardlog::record::kBundleCountOffset] = static_cast<char>(count);
  bundle_.append(record_);
  return bundle_;
}

bool shardlog_producer::Append(const std::array<Definition*, 2>& definitions) {
  std::string_view payload = ForRun(definitions, producer_.RunWithRoom(record_.size()));
  // As a bundle it may have to go to a new run, which has been told nothing.
  if (producer_.RunWithRoom(payload.size()) == 0) payload = ForRun(definitions, 0);
  if (!producer_.Append(payload.data(), payload.size())) return false;
  for (Definition* definition : definitions) {
    if (definition != nullptr) definition->run = producer_.run();
  }
  return true;
}
