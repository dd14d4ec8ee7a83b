#include "napi/control_words.h"

#include <cstddef>
#include <initializer_list>
#include <utility>

#include "engine/arena_layout.h"
#include "engine/config.h"
#include "engine/js_control.h"
#include "format/block.h"
#include "record/wire.h"

namespace shardlog::napi {
namespace {

using engine::ArenaHeader;
using engine::ClaimState;
using engine::JsControl;
using engine::SegmentSlot;

using Words = std::initializer_list<std::pair<const char*, double>>;

template <typename Enum>
constexpr double Number(Enum value) {
  return static_cast<double>(static_cast<uint32_t>(value));
}

void Add(Napi::Object* groups, const char* name, Words words) {
  Napi::Object group = Napi::Object::New(groups->Env());
  for (const auto& [word, value] : words) group.Set(word, value);
  groups->Set(name, group);
}

void AddLease(Napi::Object* groups) {
  Add(groups, "LEASE",
      {{"WORD", JsControl::kWord},
       {"BUFFER", JsControl::kBuffer},
       {"START", JsControl::kStart},
       {"LIMIT", JsControl::kLimit},
       {"ACCEPTED", JsControl::kAccepted},
       {"SERIAL", JsControl::kSerial},
       {"END", JsControl::kEnd},
       {"TIME", JsControl::kTime},
       {"TEXTS", JsControl::kTexts},
       {"WORDS", JsControl::kWords}});
  Add(groups, "RENEWAL",
      {{"TAKE_CALL", Number(engine::Renewal::kTakeCall)},
       {"RENEWED", Number(engine::Renewal::kRenewed)},
       {"DROPPED", Number(engine::Renewal::kDropped)}});
}

// offsetof of a type with aligned atomics is conditionally supported; every compiler we build with
// does.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
void AddArena(Napi::Object* groups) {
  const size_t journal = offsetof(ArenaHeader, journal);
  Add(groups, "HEADER",
      {{"version", offsetof(ArenaHeader, version)},
       {"numShards", offsetof(ArenaHeader, num_shards)},
       {"segmentsPerShard", offsetof(ArenaHeader, segments_per_shard)},
       {"segmentBytes", offsetof(ArenaHeader, segment_bytes)},
       {"dataOffset", offsetof(ArenaHeader, data_offset)},
       {"totalBytes", offsetof(ArenaHeader, total_bytes)},
       {"stream", offsetof(ArenaHeader, stream)},
       {"createdTime", offsetof(ArenaHeader, created_time)},
       {"logDevice", offsetof(ArenaHeader, log_device)},
       {"logInode", offsetof(ArenaHeader, log_inode)},
       {"ownerPid", offsetof(ArenaHeader, owner_pid)},
       {"pathBytes", offsetof(ArenaHeader, path_bytes)},
       {"ownerStart", offsetof(ArenaHeader, owner_start)},
       {"bootId", offsetof(ArenaHeader, boot_id)},
       {"headerCrc", offsetof(ArenaHeader, header_crc)},
       {"content", offsetof(ArenaHeader, content)},
       {"format", offsetof(ArenaHeader, format)},
       {"pidNamespace", offsetof(ArenaHeader, pid_namespace)},
       {"active", offsetof(ArenaHeader, active)},
       {"recycled", offsetof(ArenaHeader, recycled)},
       {"journalGeneration", journal + offsetof(engine::Journal, generation)},
       {"journalBase", journal + offsetof(engine::Journal, base)},
       {"written", offsetof(ArenaHeader, written)},
       {"path", offsetof(ArenaHeader, path)}});
  Add(groups, "SLOT",
      {{"offset", SegmentSlot::OffsetPlace()},
       {"claimedTime", offsetof(SegmentSlot, claimed_time)},
       {"releasedTime", offsetof(SegmentSlot, released_time)},
       {"span", offsetof(SegmentSlot, span)},
       {"producer", offsetof(SegmentSlot, producer)}});
  Add(groups, "CLAIM",
      {{"claimedMask", ClaimState::kClaimedMask},
       {"fullBit", ClaimState::kFullBit},
       {"orderShift", ClaimState::kOrderShift}});
  Add(groups, "ARENA",
      {{"ARENA_HEADER_BYTES", sizeof(ArenaHeader)},
       {"ARENA_CRC_BYTES", engine::kArenaHeaderCrcBytes},
       {"ARENA_VERSION", engine::kArenaVersion},
       {"OLDEST_ARENA_VERSION", engine::kOldestArenaVersion},
       {"LINE_BYTES", sizeof(SegmentSlot)},
       {"OFFSET_MASK", static_cast<uint32_t>(~engine::OffsetState::kSealedBit)},
       {"CONTENT_RAW", Number(engine::Content::kEntries)},
       {"CONTENT_RECORDS", Number(engine::Content::kRecords)},
       {"FORMAT_SHARD", Number(engine::Format::kShard)},
       {"FORMAT_NDJSON", Number(engine::Format::kNdjson)}});
}
#pragma GCC diagnostic pop

void AddBlock(Napi::Object* groups) {
  Add(groups, "BLOCK",
      {{"SECTOR_BYTES", format::kSectorBytes},
       {"BLOCK_HEADER_BYTES", format::kBlockHeaderBytes},
       {"MAX_CAPACITY_BYTES", engine::kMaxShardBytes},
       {"ENTRY_PREFIX_BYTES", format::kEntryPrefixBytes},
       {"TRAILER_BYTES", format::kTrailerBytes},
       {"TRAILER_MAGIC", format::kTrailerMagic},
       {"TRAILER_VERSION", format::kTrailerVersion},
       {"TRAILER_CRC_OFFSET", format::kTrailerCrcOffset},
       {"FLAG_CARRIED", format::kFlagCarried},
       {"FLAG_RECOVERED", format::kFlagRecovered},
       {"FLAG_JS", format::kFlagJsEngine}});
}

void AddRecord(Napi::Object* groups) {
  using record::Defines;
  using record::Kind;
  using record::MessageForm;
  using record::Tag;
  using record::TimeForm;
  Add(groups, "RECORD",
      {{"KIND_TEXT", Number(Kind::kText)},
       {"KIND_RECORD", Number(Kind::kRecord)},
       {"KIND_BUNDLE", Number(Kind::kBundle)},
       {"KIND_SPILLED", Number(Kind::kSpilled)},
       {"TEXT_TIME", record::kTextTimeOffset},
       {"TEXT_LINE", record::kTextLineOffset},
       {"BUNDLE_COUNT", record::kBundleCountOffset},
       {"BUNDLE_DEFINITIONS", record::kBundleDefinitionsOffset},
       {"HEADER_TEMPLATE", record::kRecordTemplateOffset},
       {"HEADER_BINDINGS", record::kRecordBindingsOffset},
       {"HEADER_TIME", record::kRecordTimeOffset},
       {"HEADER_BYTES", record::kRecordHeaderBytes},
       {"NO_ID", record::kNoId},
       {"TIME_NONE", Number(TimeForm::kNone)},
       {"TIME_MS", Number(TimeForm::kMilliseconds)},
       {"TIME_SECONDS", Number(TimeForm::kSeconds)},
       {"TIME_ISO", Number(TimeForm::kIso)},
       {"TIME_TEXT", Number(TimeForm::kText)},
       {"TAG_ABSENT", Number(Tag::kAbsent)},
       {"TAG_NULL", Number(Tag::kNull)},
       {"TAG_FALSE", Number(Tag::kFalse)},
       {"TAG_TRUE", Number(Tag::kTrue)},
       {"TAG_INT", Number(Tag::kInt)},
       {"TAG_NUMBER", Number(Tag::kNumber)},
       {"TAG_SHORT_STRING", Number(Tag::kShortString)},
       {"TAG_STRING", Number(Tag::kString)},
       {"TAG_JSON", Number(Tag::kJson)},
       {"DEFINITION_WHAT", record::kDefinitionWhatOffset},
       {"DEFINITION_LENGTH", record::kDefinitionLengthOffset},
       {"DEFINITION_BODY", record::kDefinitionHeaderBytes},
       {"DEFINE_STRING", Number(Defines::kString)},
       {"DEFINE_TEMPLATE", Number(Defines::kTemplate)},
       {"TEMPLATE_TIME_FORM", record::kTemplateTimeFormOffset},
       {"TEMPLATE_MESSAGE_FORM", record::kTemplateMessageFormOffset},
       {"TEMPLATE_HEAD", record::kTemplateHeadOffset},
       {"TEXT_PREFIX_BYTES", record::kTextPrefixBytes},
       {"MESSAGE_NONE", Number(MessageForm::kNone)},
       {"MESSAGE_FIXED", Number(MessageForm::kFixed)},
       {"MESSAGE_INLINE", Number(MessageForm::kInRecord)}});
}

}  // namespace

Napi::Value ControlWords(const Napi::CallbackInfo& info) {
  Napi::Object groups = Napi::Object::New(info.Env());
  AddLease(&groups);
  AddArena(&groups);
  AddBlock(&groups);
  AddRecord(&groups);
  return groups;
}

}  // namespace shardlog::napi
