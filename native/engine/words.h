// The atomic words of the protocol. docs/internals/memory-model.md is normative; this file
// holds the only code that knows their bits.
//
// Invariants kept here (numbers as there):
//   I2  only a segment's lessee moves its offset up (Accept is called by the lessee alone);
//   I3  only the lessee clears the lessee (Release);
//   I6  a sealed segment's offset does not change until Recycle.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "format/block.h"

namespace shardlog::engine {

// Value of a segment's offset word: sealed:1 | offset:31.
struct OffsetState {
  static constexpr uint32_t kSealedBit = 0x80000000u;

  uint32_t bits = 0;

  uint32_t offset() const { return bits & ~kSealedBit; }
  bool sealed() const { return (bits & kSealedBit) != 0; }
  // Whether the segment holds entries: the first lies behind the block header.
  bool has_entries() const { return offset() > format::kBlockHeaderBytes; }
};

// Who has the lease of a segment, alone in its cache line. It lies in the memory of the process:
// nobody asks for it when the process is over, and nobody else can change it, whatever happens to
// the arena's file.
struct alignas(64) LesseeWord {
  // [MM lessee-read] acquire: pairs with release; the former lessee's copying is over.
  uint32_t Lessee() const { return lessee_.load(std::memory_order_acquire); }

  // Free -> leased. False if a late claimer, about to back out, holds it.
  bool TakeLease(uint32_t producer) {
    uint32_t nobody = 0;
    // [MM lease] acquire: pairs with release.
    return lessee_.compare_exchange_strong(nobody, producer, std::memory_order_acq_rel,
                                           std::memory_order_relaxed);  // [MM lease]
  }

  // The lessee gives the segment up: it is not copying and will not come back to it.
  void Release() {
    // [MM release] release: whoever leases it next finds our copying done.
    lessee_.store(0, std::memory_order_release);
  }

 private:
  std::atomic<uint32_t> lessee_{0};  // producer id, 0: none
};
static_assert(sizeof(LesseeWord) == 64);

// One segment's slot in the arena, alone in its cache line. The lessee writes what is behind the
// word, before its first accept, and the flusher reads it after it saw an accepted entry.
//
// The word is 32 bits wide because JavaScript accepts entries with Atomics.compareExchange on it.
struct alignas(64) SegmentSlot {
  // The offset as it is, for a lessee that checks whether its lease still holds: an entry may be
  // accepted at an offset of 8 or more whose sealed bit is clear. 0 is a segment recycled under an
  // idle lessee.
  OffsetState Peek() const {
    // [MM peek] relaxed: an outdated value makes the accept fail, nothing worse.
    return {offset_.load(std::memory_order_relaxed)};
  }

  // Moves the offset over an entry that was copied to [from.offset(), to). False: sealed.
  bool Accept(OffsetState from, uint32_t to) {
    // [MM accept] release: publishes the entry to the flusher's seal, and to readers of the arena.
    return offset_.compare_exchange_strong(from.bits, to, std::memory_order_release,
                                           std::memory_order_relaxed);  // [MM accept]
  }

  // The new lessee opens a free segment for entries. False: sealed meanwhile.
  bool Open() {
    uint32_t expected = 0;
    // [MM open] acquire: pairs with recycle; the flusher's reading of the segment is over.
    return offset_.compare_exchange_strong(expected, format::kBlockHeaderBytes,
                                           std::memory_order_acq_rel,
                                           std::memory_order_relaxed);  // [MM open]
  }

  // The lessee goes on in a segment that it had given up. False: sealed or recycled meanwhile. A
  // change that changes nothing: the flusher's seal comes before it, and is seen here, or after it,
  // and finds the lessee.
  bool Reopen() {
    uint32_t expected = Peek().bits;
    if (static_cast<int32_t>(expected) < static_cast<int32_t>(format::kBlockHeaderBytes))
      return false;
    // [MM reopen] acq_rel: pairs with seal.
    return offset_.compare_exchange_strong(expected, expected, std::memory_order_acq_rel,
                                           std::memory_order_relaxed);  // [MM reopen]
  }

  // The lessee closes again what it opened, having accepted nothing; a seal stays.
  void UndoOpen() {
    // [MM open] release, so that the next lessee's open finds it so.
    offset_.fetch_and(OffsetState::kSealedBit, std::memory_order_acq_rel);
  }

  // No entry is accepted from here on. Returns the final offset.
  OffsetState Seal() {
    // [MM seal] acquire: the entries below the offset are visible.
    const uint32_t before = offset_.fetch_or(OffsetState::kSealedBit, std::memory_order_acq_rel);
    return {before & ~OffsetState::kSealedBit};
  }

  // Free again, but for its lessee, if it still has one.
  void Recycle() {
    // [MM recycle] release: our reading of the segment is over before it is leased again.
    offset_.store(0, std::memory_order_release);
  }

  // Where the word lies in the slot.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
  static constexpr size_t OffsetPlace() { return offsetof(SegmentSlot, offset_); }
#pragma GCC diagnostic pop

  // A slot that refuses every accept, for producers that hold no lease.
  void InitSealed() {
    // [MM init] relaxed: set up before any other thread knows of it.
    offset_.store(OffsetState::kSealedBit, std::memory_order_relaxed);
  }

  // In a copy: sealed, with entries up to `end`, an offset.
  void InitSealedAt(uint32_t end) {
    // [MM init] relaxed: no other thread knows of the copy yet.
    offset_.store(OffsetState::kSealedBit | end, std::memory_order_relaxed);
  }

 private:
  std::atomic<uint32_t> offset_;
  [[maybe_unused]] uint32_t spare_before_times_;  // once the lessee

 public:
  // What tells of the lease is atomic because a move copies it while the lessee may change it.
  std::atomic<uint64_t> claimed_time;   // ns since the epoch
  std::atomic<uint64_t> released_time;  // written before the release; 0 while leased
  std::atomic<uint32_t> span;           // segments of this claim
  std::atomic<uint32_t> producer;       // who claimed it in this generation
  // Segments that the entry takes for which they were claimed. Atomic because the flusher looks,
  // before any accept, for large entries that are being copied; relaxed because it only decides
  // whether to wait a little.
  std::atomic<uint32_t> needed;
  uint32_t spare;
  uint64_t in_log;  // 1 + the last generation whose block of this segment is in the log
  uint64_t spare_before_mark;
  uint64_t mark;  // of some: see PageMarks
};
static_assert(sizeof(SegmentSlot) == 64);

// Value of a claim word: generation:32 | full_order:14 | full:1 | sealed:1 | claimed:16.
// Width of the generation field is a parameter so that its wrap-around is a unit test.
template <int kGenerationBits>
struct BasicClaimState {
  static constexpr uint64_t kClaimedMask = 0xFFFF;
  static constexpr uint64_t kSealedBit = 1u << 16;
  static constexpr uint64_t kFullBit = 1u << 17;
  static constexpr int kOrderShift = 18;
  static constexpr uint64_t kOrderMask = 0x3FFF;
  static constexpr uint64_t kGenerationMask = (uint64_t{1} << kGenerationBits) - 1;

  uint64_t bits = 0;

  static BasicClaimState Fresh(uint64_t generation) {
    return {(generation & kGenerationMask) << 32};
  }
  uint32_t claimed() const { return static_cast<uint32_t>(bits & kClaimedMask); }
  bool sealed() const { return (bits & kSealedBit) != 0; }
  bool full() const { return (bits & kFullBit) != 0; }
  uint32_t full_order() const { return static_cast<uint32_t>(bits >> kOrderShift & kOrderMask); }
  bool IsOf(uint64_t generation) const { return bits >> 32 == (generation & kGenerationMask); }
  bool Accepts(uint64_t generation) const { return IsOf(generation) && !sealed(); }
  BasicClaimState Sealed() const { return {bits | kSealedBit}; }
  BasicClaimState WithClaimed(uint32_t claimed) const { return {(bits & ~kClaimedMask) | claimed}; }
  BasicClaimState WithFull(uint32_t order) const {
    return {bits | kFullBit | (order & kOrderMask) << kOrderShift};
  }
};
using ClaimState = BasicClaimState<32>;

// One shard's claim word, alone in its cache line.
struct alignas(64) ClaimWord {
  ClaimState Read() const {
    // [MM claim-read] acquire: pairs with recycle's store; what the flusher freed may be written.
    return {word_.load(std::memory_order_acquire)};
  }

  // False, with *from reread, if another producer or the flusher came first.
  bool Change(ClaimState* from, ClaimState to) {
    // [MM claim] acq_rel: keeps the draw of a full-order number between the read and this.
    return word_.compare_exchange_strong(from->bits, to.bits, std::memory_order_acq_rel,
                                         std::memory_order_acquire);  // [MM claim]
  }

  // No segment is claimed from here on in this generation.
  ClaimState Seal() {
    // [MM claim-seal] acq_rel: pairs with claim and with the second reading of acquire.
    return {word_.fetch_or(ClaimState::kSealedBit, std::memory_order_acq_rel)};
  }

  // Of a set that turned out not to be free: claims go on. Who found it sealed reads it again.
  void Unseal() {
    // [MM claim-seal] acq_rel: the same word.
    word_.fetch_and(~ClaimState::kSealedBit, std::memory_order_acq_rel);
  }

  // In a copy.
  void Init(ClaimState state) {
    // [MM init] relaxed: no other thread knows of the copy yet.
    word_.store(state.bits, std::memory_order_relaxed);
  }

  void Reset(uint64_t generation) {
    // [MM recycle] release: segments freed before are free for whoever reads the new generation.
    word_.store(ClaimState::Fresh(generation).bits, std::memory_order_release);
  }

 private:
  std::atomic<uint64_t> word_;
};
static_assert(sizeof(ClaimWord) == 64);

}  // namespace shardlog::engine
