// One thread's end of the log: where entries are accepted.
//
// Thread: every function but the counters runs on the producer's own thread. The object is shared
// by that thread and the log, which reads its counters.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/buffer_sets.h"
#include "engine/config.h"
#include "engine/draft.h"
#include "engine/error_reporter.h"
#include "engine/js_control.h"
#include "engine/store_in_pages.h"
#include "platform/event.h"
#include "platform/tick_clock.h"

namespace shardlog::engine {

// What producers and the flusher tell each other, beyond the words in the arena.
struct Signals {
  platform::Event work;      // for the flusher: a swap, a request, the end
  platform::Event progress;  // from the flusher, for flush(): a set was written, or could not be
  platform::Event room;      // from the flusher, for producers: a set is free
  std::atomic<bool> closed{false};
  // More threads log than the sets have segments to spare: leases are given up after each call.
  std::atomic<bool> crowded{false};
  // Segments in a row that a lease may have beyond what an entry takes.
  std::atomic<uint32_t> longest_run{1};

  // The flusher's, for what a producer cannot put right; set before the first one is attached.
  ErrorReporter* errors = nullptr;
  std::once_flag told_oversized;

  // [MM closed] acquire: pairs with the store in Log::Close.
  bool IsClosed() const { return closed.load(std::memory_order_acquire); }

  // The flusher, which has found nothing to write: sleeps without a timer from now on, unless a
  // look at the claim words, after this, shows that somebody is about to write. Whose claim it does
  // not see wakes it.
  void Park() {
    parked.exchange(true, std::memory_order_acq_rel);  // [MM park] acquire: sees claims before it
  }
  // [MM park] acquire: pairs with Wake.
  bool IsParked() const { return parked.load(std::memory_order_acquire); }
  // A producer that has just claimed a segment.
  void Wake() {
    // [MM wake] an exchange, whatever the value: of it and Park's one comes first.
    if (parked.exchange(false, std::memory_order_acq_rel)) work.Signal();
  }

 private:
  std::atomic<bool> parked{false};
};

// A number that one thread counts up and any thread reads.
class Counter {
 public:
  void Add(uint64_t n) {
    // [MM counter] relaxed: one writer.
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  // The counting thread: begins anew.
  uint64_t Take() {
    const uint64_t n = Read();
    value_.store(0, std::memory_order_relaxed);  // [MM counter] relaxed: one writer.
    return n;
  }
  // [MM counter] relaxed: a number for people.
  uint64_t Read() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class alignas(64) Producer {
 public:
  // Id of a producer that never leases anything.
  static constexpr uint32_t kNobody = 0;

  // `id` differs from every other producer's of the log. `in_pages`: see store_in_pages.h.
  Producer(std::shared_ptr<BufferSets> sets, std::shared_ptr<Signals> signals, const Config& config,
           uint32_t id, bool in_pages = false);

  // One that drops and counts everything.
  Producer();

  // Accepts an entry of `size` bytes. False: dropped and counted. Blocks only under OnFull::kBlock.
  bool Append(const void* bytes, size_t size) {
    Lease& lease = NextLease();
    const OffsetState at = lease.slot->Peek();
    const uint64_t end = uint64_t{at.offset()} + format::kEntryPrefixBytes + size;
    if (IsOpen(at) && end <= lease.limit && size != 0) [[likely]] {
      Put(lease.data + at.offset(), bytes, size);
      if (lease.slot->Accept(at, static_cast<uint32_t>(end))) [[likely]] {
        accepted_.Add(1);
        return true;
      }
    }
    return AppendSlow(&lease, bytes, size);
  }

  // For callers that can write an entry's bytes only themselves, a string's encoder. Room() is
  // where the payload goes and how much fits; Accept(size) accepts what was written there. Room is
  // 0 if the lease is over, or the arena wants its stores in pages, and Accept is false then: say
  // the entry again through Append.
  struct RoomFor {
    uint8_t* payload;
    uint32_t bytes;
    OffsetState at;
    Lease* lease;
  };
  RoomFor Room() {
    Lease& lease = NextLease();
    const OffsetState at = lease.slot->Peek();
    const uint32_t start = at.offset() + static_cast<uint32_t>(format::kEntryPrefixBytes);
    if (!IsOpen(at) || start >= lease.limit || in_pages_) return {nullptr, 0, at, &lease};
    return {lease.data + start, lease.limit - start, at, &lease};
  }
  // The entry did not get in by Room() and is said again through Append: on the same shard.
  void UndoRoundRobin() {
    if (leases_.size() > 1) turn_ = turn_ == 0 ? leases_.size() - 1 : turn_ - 1;
  }
  bool Accept(const RoomFor& room, uint32_t size) {
    format::Store(room.payload - format::kEntryPrefixBytes, size);
    const uint32_t end = room.at.offset() + static_cast<uint32_t>(format::kEntryPrefixBytes) + size;
    if (!room.lease->slot->Accept(room.at, end)) return false;
    accepted_.Add(1);
    return true;
  }

  // For the direct route: accepts the entry that JavaScript has written behind the last one of the
  // lease, up to kEnd, and says that it did by making that word 0. The clock is read for it if
  // kTime tells where in the segment its time, a double of ms, is to lie.
  void Publish() {
    PublishAt([this] { return clock_.NowMs(); });
  }
  // As Publish, with the time in ms from `now_ms`, which is called if the entry wants one.
  template <typename NowMs>
  void PublishAt(NowMs now_ms) {
    const Lease& lease = leases_[0];
    const OffsetState at = lease.slot->Peek();
    const auto end = static_cast<uint32_t>(js_.words[JsControl::kEnd]);
    const auto time = static_cast<uint32_t>(js_.words[JsControl::kTime]);
    const uint32_t start = at.offset() + static_cast<uint32_t>(format::kEntryPrefixBytes);
    if (!IsOpen(at) || end <= start || end > lease.limit) return;
    uint8_t* const written = JsMemory(lease);
    if (time != 0 && time + sizeof(double) <= end) format::Store(written + time, now_ms());
    if (draft_ == nullptr) {
      format::Store(lease.data + at.offset(), end - start);
    } else {
      Put(lease.data + at.offset(), written + start, end - start);
    }
    if (!lease.slot->Accept(at, end)) return;
    accepted_.Add(1);
    js_.words[JsControl::kEnd] = 0;
  }

  // For the direct route: whether the last entry was accepted.
  bool HasPublished() const { return js_.words[JsControl::kEnd] == 0; }

  // For the direct route: whether the time of the entry that is being published is to be put there.
  bool WantsTime() const { return js_.words[JsControl::kTime] != 0; }

  // For the direct route: the last `size` bytes of the entry that JavaScript has written up to
  // kEnd; nullptr if they are not of the lease.
  const uint8_t* Written(size_t size) const {
    const Lease& lease = leases_[0];
    const auto end = static_cast<uint32_t>(js_.words[JsControl::kEnd]);
    if (end > lease.limit || size > end) return nullptr;
    return JsMemory(lease) + (end - size);
  }

  // For the direct route: memory of the lease from kEnd on, for what JavaScript has native
  // code write into the entry it is writing; nullptr if that is not behind the last entry.
  struct Place {
    uint8_t* at;
    size_t bytes;
  };
  Place WritePlace() const {
    const Lease& lease = leases_[0];
    const auto start = static_cast<uint32_t>(js_.words[JsControl::kEnd]);
    if (start <= lease.slot->Peek().offset() || start >= lease.limit) return {nullptr, 0};
    return {JsMemory(lease) + start, lease.limit - start};
  }
  // What came of it, in the same word.
  void Reply(size_t bytes) { js_.words[JsControl::kEnd] = static_cast<int32_t>(bytes); }

  // For the direct route: see JsControl::PutText.
  bool PutText(size_t index, const char16_t* units, size_t length) {
    const Lease& lease = leases_[0];
    const OffsetState at = lease.slot->Peek();
    return IsOpen(at) &&
           js_.PutText(index, units, length, JsMemory(lease), at.offset(), lease.limit);
  }

  // For the direct route: leases another segment with room for an entry of `size` bytes, waiting
  // for one as Append does.
  Renewal Renew(size_t size);

  // Counts an entry that never got here: not a string, not bytes.
  void CountInvalid() { dropped_.Add(1); }

  // The producer's thread is done with the log, or the log's handle is closed: later entries are
  // dropped. The buffers are let go: JavaScript may keep the producer until its next collection.
  void Detach();

  uint32_t id() const { return id_; }

  // Of a producer that drops everything: how many entries it has dropped since it was asked last.
  uint64_t TakeDropped() { return dropped_.Take(); }
  uint64_t TakeEmpty() { return empty_.Take(); }

  // --- counters, any thread ---
  uint64_t accepted() const;
  uint64_t dropped() const { return dropped_.Read(); }
  uint64_t oversized() const { return oversized_.Read(); }
  uint64_t empty() const { return empty_.Read(); }
  uint64_t blocked() const { return blocked_.Read(); }

  // --- the direct route from JavaScript (lib/engine/lease.ts): it reads the lease and
  // writes entries and the count itself, between native calls of the same thread ---
  // Entries that JavaScript accepts by itself have to lie in the arena.
  bool direct_route_allowed() const {
    return leases_.size() == 1 && !(in_pages_ && content_ == Content::kEntries);
  }
  // Where it writes them if not in the arena; else null.
  const std::shared_ptr<Draft>& draft() const { return draft_; }
  int32_t* js_words() { return js_.words; }

 private:
  // Where JavaScript writes the entries of the lease.
  uint8_t* JsMemory(const Lease& lease) const {
    return draft_ == nullptr ? lease.data : draft_->data();
  }

  void Put(uint8_t* entry, const void* bytes, size_t size) {
    const auto length = static_cast<uint32_t>(size);
    if (in_pages_) [[unlikely]] {
      StoreInPages(entry, &length, sizeof length);
      StoreInPages(entry + format::kEntryPrefixBytes, bytes, size);
    } else {
      format::Store(entry, length);
      std::memcpy(entry + format::kEntryPrefixBytes, bytes, size);
    }
  }

  static bool IsOpen(OffsetState at) { return static_cast<int32_t>(at.bits) >= 8; }

  // Affinity has one lease; round-robin one per shard, taken in turn.
  Lease& NextLease() {
    if (leases_.size() == 1) [[likely]]
      return leases_[0];
    turn_ = turn_ + 1 == leases_.size() ? 0 : turn_ + 1;
    return leases_[turn_];
  }

  // kFull: nobody has room at the moment. kScattered: what room there is does not lie in a row.
  enum class Outcome { kHeld, kFull, kScattered, kClosed };
  bool AppendSlow(Lease* lease, const void* bytes, size_t size);
  bool AppendToLease(Lease* lease, const void* bytes, size_t size);
  bool AppendSpilled(Lease* lease, const void* bytes, size_t size);
  bool PutSpill(const void* bytes, size_t size, record::Spilled* spilled);
  bool AcceptSpilled(Lease* lease, const record::Spilled& spilled);
  static bool HasRoom(const Lease& lease, size_t size);
  bool DropOversized(size_t size);
  bool Drop(Counter* reason);
  Outcome Acquire(Lease* lease, size_t size);
  Outcome ClaimSomewhere(Lease* lease, uint32_t segments);
  uint32_t FirstShard(const Lease* lease) const;
  bool SwapIfFree(uint64_t generation);
  void ChooseRun(const Lease& lease);
  uint32_t FirstRun() const;
  bool NapWhileChanged();
  bool ScanShards(uint64_t generation, Lease* lease, RunLength length, bool* start_over);
  bool AwaitRoom(uint32_t epoch, uint64_t* deadline_ns);
  bool AwaitProgress(uint32_t epoch, uint64_t deadline_ns);
  void PublishLease();
  uint64_t JsAccepted() const;
  void YieldIfCrowded(Lease* lease);
  bool Reacquire(Lease* lease);

  // Read and written at every call.
  std::vector<Lease> leases_;
  Counter accepted_;
  size_t turn_ = 0;
  const bool in_pages_;                 // see store_in_pages.h
  const std::shared_ptr<Draft> draft_;  // where entries of JavaScript's are not written in place
  JsControl js_;
  // Entries accepted by JavaScript up to the last native call. 2^32 more do not fit into a lease.
  Counter js_accepted_;
  platform::TickClock clock_;
  uint64_t js_generation_ = UINT64_MAX;  // of the lease that js_ tells

  // Cold.
  std::shared_ptr<BufferSets> sets_;  // null: detached
  std::shared_ptr<Signals> signals_;  // the same
  const OnFull on_full_;
  const Content content_;
  const uint64_t most_bytes_;  // of an entry
  const uint64_t block_timeout_ns_;
  const uint32_t id_;
  const uint32_t home_shard_;
  bool detached_ = false;
  std::vector<Lease> yielded_;    // one for each lease, while crowded
  uint32_t run_ = 1;              // segments that the next lease may have
  uint64_t accepted_before_ = 0;  // the lease
  uint32_t naps_ = 0;             // since a segment was had for the last time
  Counter dropped_;
  Counter oversized_;
  Counter empty_;
  Counter blocked_;
};

}  // namespace shardlog::engine
