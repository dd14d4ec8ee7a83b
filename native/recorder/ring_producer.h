// One thread's way into a ring: appends entries to a run that it leases.
//
// Thread: every function runs on the producer's own thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "engine/js_control.h"
#include "format/block.h"
#include "platform/tick_clock.h"
#include "record/wire.h"
#include "recorder/ring.h"

namespace shardlog::recorder {

class alignas(64) RingProducer {
 public:
  // `thread`: its number in JavaScript, for readers.
  RingProducer(std::shared_ptr<Ring> ring, uint32_t thread);
  ~RingProducer();
  RingProducer(const RingProducer&) = delete;
  RingProducer& operator=(const RingProducer&) = delete;

  const std::shared_ptr<Ring>& ring() const { return ring_; }

  // Records a payload of docs/reference/record-format.md. False: dropped and counted.
  bool Append(const void* bytes, size_t size);

  // What lib/record/record-encoder.ts asks for by napi/direct_calls.h; see engine/producer.h.
  void Publish() {
    const uint32_t at = Offset();
    const auto end = static_cast<uint32_t>(js_.words[engine::JsControl::kEnd]);
    const auto time = static_cast<uint32_t>(js_.words[engine::JsControl::kTime]);
    const uint32_t start = at + static_cast<uint32_t>(format::kEntryPrefixBytes);
    if (!IsOpen(at) || end <= start || end > lease_.limit) return;
    if (time != 0 && time + sizeof(double) <= end) {
      format::Store(lease_.data + time, NowNs());
    } else {
      Refine(lease_.data + start, end - start);
    }
    format::Store(lease_.data + at, end - start);
    Accept(end);
    js_.words[engine::JsControl::kEnd] = 0;
  }
  // Accepts a copy of a payload that lies elsewhere, for which JavaScript has found that it has
  // room up to kEnd and refers to nothing that the run does not define. `size` is PayloadBytes().
  // The payload is a record, and `now_ns` its time; 0: it tells its own.
  uint32_t PayloadBytes() const {
    const auto end = static_cast<uint32_t>(js_.words[engine::JsControl::kEnd]);
    const uint32_t at = Offset();
    const uint32_t start = at + static_cast<uint32_t>(format::kEntryPrefixBytes);
    return IsOpen(at) && end > start && end <= lease_.limit ? end - start : 0;
  }
  void PublishCopy(const uint8_t* from, uint32_t size, uint64_t now_ns) {
    const uint32_t at = Offset();
    uint8_t* const entry = lease_.data + at;
    uint8_t* const payload = entry + format::kEntryPrefixBytes;
    format::Store(entry, size);
    CopyRecord(payload, from, size);
    if (now_ns == 0) {
      Refine(payload, size);
    } else if (size >= record::kRecordHeaderBytes) {
      format::Store(payload + record::kRecordTimeOffset, now_ns);
    }
    Accept(at + static_cast<uint32_t>(format::kEntryPrefixBytes) + size);
    js_.words[engine::JsControl::kEnd] = 0;
  }
  // The time of an event that is recorded now, in ns since the Unix epoch.
  uint64_t Now() { return NowNs(); }

  struct Place {
    uint8_t* at;
    size_t bytes;
  };
  Place WritePlace() const {
    const auto start = static_cast<uint32_t>(js_.words[engine::JsControl::kEnd]);
    if (!IsOpen(Offset()) || start <= Offset() || start >= lease_.limit) return {nullptr, 0};
    return {lease_.data + start, lease_.limit - start};
  }
  void Reply(size_t bytes) { js_.words[engine::JsControl::kEnd] = static_cast<int32_t>(bytes); }
  // See JsControl::PutText.
  bool PutText(size_t index, const char16_t* units, size_t length) {
    const uint32_t at = Offset();
    return IsOpen(at) && js_.PutText(index, units, length, lease_.data, at, lease_.limit);
  }
  engine::Renewal Renew(size_t size);

  // The run that the next payload of `size` bytes goes to; 0: another one than any before.
  uint64_t RunWithRoom(size_t size);
  // The run that the last payload went to.
  uint64_t run() const { return run_; }
  // Whether the ring had a place for another producer.
  bool attached() const { return id_ != 0; }

  // An event that never got here.
  void CountInvalid() { ring_->CountDropped(1); }

  // Later events are dropped.
  void Detach();

  // Whether JavaScript writes into the lease by itself.
  int32_t* js_words() { return js_.words; }

 private:
  // Short ones, which nearly all are, in blocks of 16 bytes, the last of which overlaps the one
  // before: a call of memcpy costs as much as the copy.
  static void CopyRecord(uint8_t* to, const uint8_t* from, uint32_t size) {
    constexpr uint32_t kBlock = 16;
    constexpr uint32_t kShort = 16 * kBlock;
    if (size < kBlock || size > kShort) {
      std::memcpy(to, from, size);
      return;
    }
    const uint32_t last = size - kBlock;
    for (uint32_t at = 0; at < last; at += kBlock) std::memcpy(to + at, from + at, kBlock);
    std::memcpy(to + last, from + last, kBlock);
  }
  // Whether entries are accepted there: not of who has no lease, nor where the word is gone.
  static bool IsOpen(uint32_t at) {
    return static_cast<int32_t>(at) >= static_cast<int32_t>(kFirstOffset);
  }
  uint32_t Offset() const {
    // [MM peek] relaxed: only this thread changes it.
    return lease_.slot->offset.load(std::memory_order_relaxed);
  }
  // Moves the offset over an entry that has been written.
  void Accept(uint32_t end) {
    // [MM accept] release: publishes the entry to readers. Nobody else changes the word.
    lease_.slot->offset.store(end, std::memory_order_release);
    std::atomic<uint64_t>& counts = lease_.slot->counts;
    // [MM ring-count] relaxed: one writer.
    const Counts before{counts.load(std::memory_order_relaxed)};
    // [MM ring-count] relaxed.
    counts.store(before.WithOneMore().bits, std::memory_order_relaxed);
  }
  // The clock is corrected by some ns or us at a time, which must not put a thread's events into
  // another order; by more only if somebody has set it.
  uint64_t NowNs() {
    constexpr uint64_t kCorrectionNs = 10'000'000;
    const uint64_t now = clock_.NowNs();
    if (now >= last_ns_ || last_ns_ - now > kCorrectionNs) last_ns_ = now;
    return last_ns_;
  }
  void Refine(uint8_t* payload, size_t size);
  bool HasRoom(size_t size) const;
  void TakeBack();
  bool Acquire(size_t size);
  void Relinquish();
  void PublishLease();

  const std::shared_ptr<Ring> ring_;
  Lease lease_;
  Lease relinquished_;
  engine::JsControl js_;
  uint64_t js_sequence_ = 0;
  uint64_t run_ = 0;
  platform::TickClock clock_;
  uint64_t last_ns_ = 0;
  const uint32_t thread_;
  uint32_t id_;
};

}  // namespace shardlog::recorder
