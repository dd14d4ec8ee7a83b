#include "recorder/ring_producer.h"

#include <cmath>
#include <cstring>

#include "record/wire.h"

namespace shardlog::recorder {
namespace {

using engine::JsControl;
using engine::Renewal;

constexpr double kNsPerMs = 1e6;
// A time in ms that is told is that of the clock if it is no further away than this; else somebody
// has put another clock in its place. Between being told and coming here a thread may have slept.
constexpr double kCloseMs = 1000;

// Where in a payload its time lies; null if it has none.
uint8_t* TimeIn(uint8_t* payload, size_t size) {
  const uint8_t* const end = payload + size;
  if (payload[0] == static_cast<uint8_t>(record::Kind::kText)) {
    return size >= record::kTextLineOffset ? payload + record::kTextTimeOffset : nullptr;
  }
  if (payload[0] == static_cast<uint8_t>(record::Kind::kBundle) &&
      size > record::kBundleDefinitionsOffset) {
    uint32_t left = payload[record::kBundleCountOffset];
    payload += record::kBundleDefinitionsOffset;
    for (; left > 0; left--) {
      if (end - payload < static_cast<ptrdiff_t>(record::kDefinitionHeaderBytes)) return nullptr;
      const auto length = format::Load<uint32_t>(payload + record::kDefinitionLengthOffset);
      payload += record::kDefinitionHeaderBytes;
      if (end - payload < static_cast<ptrdiff_t>(length)) return nullptr;
      payload += length;
    }
  }
  const bool is_record = end - payload >= static_cast<ptrdiff_t>(record::kRecordHeaderBytes) &&
                         payload[0] == static_cast<uint8_t>(record::Kind::kRecord);
  return is_record ? payload + record::kRecordTimeOffset : nullptr;
}

}  // namespace

RingProducer::RingProducer(std::shared_ptr<Ring> ring, uint32_t thread)
    : ring_(std::move(ring)), thread_(thread), id_(ring_->Attach()) {
  ring_->Release(&lease_);
  PublishLease();
}

RingProducer::~RingProducer() { Detach(); }

void RingProducer::Detach() {
  ring_->Release(&lease_);
  relinquished_ = Lease{};
  if (id_ != 0) ring_->Detach(id_);
  id_ = 0;
  PublishLease();
}

// A time that was told in ms is that of a clock that knows more: the event is told apart by it from
// others of the same ms.
void RingProducer::Refine(uint8_t* payload, size_t size) {
  uint8_t* const at = TimeIn(payload, size);
  if (at == nullptr) return;
  const uint64_t now = NowNs();
  const auto told = format::Load<double>(at);
  if (std::fabs(told - static_cast<double>(now) / kNsPerMs) < kCloseMs) format::Store(at, now);
}

bool RingProducer::HasRoom(size_t size) const {
  const uint32_t at = Offset();
  return IsOpen(at) && at + format::kEntryPrefixBytes + size <= lease_.limit;
}

// The lease that was given up after the last payload.
void RingProducer::TakeBack() {
  if (!relinquished_.held()) return;
  if (ring_->Retake(relinquished_, id_)) lease_ = relinquished_;
  relinquished_ = Lease{};
}

uint64_t RingProducer::RunWithRoom(size_t size) {
  TakeBack();
  return HasRoom(size) ? lease_.sequence : 0;
}

bool RingProducer::Append(const void* bytes, size_t size) {
  TakeBack();
  if (size == 0 || (!HasRoom(size) && !Acquire(size))) {
    ring_->CountDropped(1);
    return false;
  }
  const uint32_t at = Offset();
  format::Store(lease_.data + at, static_cast<uint32_t>(size));
  uint8_t* const payload = lease_.data + at + format::kEntryPrefixBytes;
  std::memcpy(payload, bytes, size);
  Refine(payload, size);
  Accept(at + static_cast<uint32_t>(format::kEntryPrefixBytes + size));
  run_ = lease_.sequence;
  if (ring_->IsCrowded()) Relinquish();
  PublishLease();
  return true;
}

Renewal RingProducer::Renew(size_t size) {
  if (ring_->IsCrowded() || id_ == 0) return Renewal::kTakeCall;
  const bool held = Acquire(size);
  PublishLease();
  if (held) return Renewal::kRenewed;
  ring_->CountDropped(1);
  return Renewal::kDropped;
}

// Another lease, with room for an entry of `size` bytes.
bool RingProducer::Acquire(size_t size) {
  ring_->Release(&lease_);
  const uint64_t bytes = kFirstOffset + format::kEntryPrefixBytes + size;
  if (id_ == 0 || size > ring_->MostBytes() - format::kEntryPrefixBytes) return false;
  const auto least = static_cast<uint32_t>((bytes + kSegmentBytes - 1) / kSegmentBytes);
  return ring_->Claim(least, ring_->LongestRun(), id_, thread_, &lease_);
}

// Gives the lease up but remembers it; of a run that was leased before it got crowded, for good.
void RingProducer::Relinquish() {
  if (lease_.span == 1) relinquished_ = lease_;
  ring_->Release(&lease_);
}

// Tells JavaScript where it may write.
void RingProducer::PublishLease() {
  int32_t* const words = js_.words;
  if (lease_.sequence != js_sequence_) {
    words[JsControl::kSerial] =
        static_cast<int32_t>(static_cast<uint32_t>(words[JsControl::kSerial]) + 1);
  }
  js_sequence_ = lease_.sequence;
  const auto* const word = reinterpret_cast<const uint8_t*>(&lease_.slot->offset);
  words[JsControl::kWord] = static_cast<int32_t>((word - ring_->control()) / sizeof(int32_t));
  words[JsControl::kBuffer] = 0;
  words[JsControl::kStart] = static_cast<int32_t>(lease_.segment * kSegmentBytes);
  words[JsControl::kLimit] = static_cast<int32_t>(lease_.limit);
}

}  // namespace shardlog::recorder
