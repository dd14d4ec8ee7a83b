// The two buffer sets: claiming segments of the active one, swapping, and what the flusher does to
// a set. Steps and invariants are those of docs/internals/memory-model.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/arena.h"
#include "engine/pages_ahead.h"
#include "engine/spills.h"

namespace shardlog::engine {

// A producer's hold on one segment (or a run of them), and what it needs to write there.
struct Lease {
  SegmentSlot* slot = nullptr;
  uint8_t* data = nullptr;  // the segment's first byte
  uint32_t limit = 0;       // no entry ends behind this offset
  uint32_t span = 0;        // segments in a row; 0: none held, slot refuses every accept
  uint64_t generation = 0;
  uint32_t shard = 0;
  uint32_t segment = 0;

  bool held() const { return span != 0; }
};

// How many segments in a row to claim.
struct RunLength {
  uint32_t least;  // what the entry takes that the lease is wanted for
  uint32_t most;   // where that many are to be had below the fill threshold
};

enum class ClaimResult { kLeased, kShardFull, kStartOver };

// A segment with entries, sealed, in the order of its block in the file (R13).
struct SealedSegment {
  SegmentSlot* slot;
  uint8_t* data;
  uint32_t shard;
  uint32_t segment;                // in the shard
  uint32_t valid;                  // bytes of entries
  bool leased;                     // its lessee may still scribble behind the entries
  const Spills* spills = nullptr;  // what its records may refer to
};

class BufferSets {
 public:
  explicit BufferSets(std::shared_ptr<Arena> arena);

  const Geometry& geometry() const { return arena_->geometry(); }
  Arena& arena() const { return *arena_; }
  const std::shared_ptr<Arena>& shared_arena() const { return arena_; }
  PagesAhead& pages() { return pages_; }

  // What is too large for the arena.
  Spills& spills() const { return *spills_; }

  // [MM active-read] acquire: pairs with swap.
  uint64_t active() const { return header_.active.load(std::memory_order_acquire); }
  // [MM recycled-read] acquire: pairs with recycled-store.
  uint64_t recycled() const { return header_.recycled.load(std::memory_order_acquire); }
  // [MM written-read] acquire: pairs with written-store.
  uint64_t written() const { return header_.written.load(std::memory_order_acquire); }

  // --- any thread ---

  // Moves `active` from generation on to the next if that set is free. True if `active` is no
  // longer `generation`, whoever moved it.
  bool TrySwap(uint64_t generation);

  // Whether a shard of the generation's set has reached the fill threshold of 90 %
  // (docs/decisions/fill-threshold.md).
  bool NearlyFull(uint64_t generation) const;
  bool NearlyFull(uint64_t generation, uint32_t shard) const;
  // Whether the next claim there makes a shard reach it.
  bool IsAtThreshold(uint64_t generation, uint32_t shard) const;

  // Whether any segment of the generation's set is claimed.
  bool IsClaimed(uint64_t generation) const;

  // Whether the generation's set holds entries. Exact once sealed, a snapshot before.
  bool HasEntries(uint64_t generation) const;

  // Used share of a shard of the active set, 0 to 100.
  double UtilizationPct(uint32_t shard) const;

  // Entries that wait in a generation's set: walks them. For stats of a recovered or live arena.
  uint64_t CountWaiting(uint64_t generation) const;

  // --- producers ---

  // How many segments an entry of `bytes` payload needs for itself.
  uint32_t SegmentsFor(uint64_t bytes) const;

  // Claims segments of a shard for `producer`. On kLeased *lease is filled in; on kStartOver the
  // generation is over, or about to be: read active() again.
  ClaimResult Claim(uint64_t generation, uint32_t shard, RunLength length, uint32_t producer,
                    Lease* lease);

  // Gives a lease up. No-op if none is held.
  void Release(Lease* lease) const;

  // Takes a lease given up earlier back, in the same generation. False if that is not possible any
  // more.
  bool Reacquire(const Lease& lease, uint32_t producer) const;

  // --- flusher, or recovery ---

  // Ends a generation: no entry is accepted into it from here on. Waits up to `budget_ns` for
  // large entries that are being copied. Returns its blocks in file order.
  std::vector<SealedSegment> Seal(uint64_t generation, uint64_t budget_ns);

  // The generation is on the device; its spills are of no more use.
  void MarkWritten(uint64_t generation);

  // Makes a written generation's set free for generation + 2.
  void Recycle(uint64_t generation);

  // A generation that nobody has seen yet, whatever became of the words. Flusher.
  uint64_t NextUnseen() const { return newest_ + kNeverSeen; }
  // The words begin with it now.
  void BeginWith(uint64_t generation) { newest_ = generation; }

 private:
  uint32_t Passed(uint64_t generation, uint32_t shard, ClaimState claim) const;
  uint32_t Claimed(uint64_t generation, uint32_t shard) const;
  uint32_t NextFullOrder(uint64_t generation, uint32_t shard) const;
  ClaimResult LeaseRun(uint64_t generation, uint32_t shard, uint32_t first, RunLength run,
                       uint32_t producer, Lease* lease);
  uint32_t CountUnleased(uint64_t generation, uint32_t shard, uint32_t first, uint32_t most) const;
  bool TakeRun(uint64_t generation, uint32_t shard, uint32_t first, uint32_t segments,
               uint32_t producer) const;
  void GiveRunBack(uint64_t generation, uint32_t shard, uint32_t first, uint32_t segments) const;
  void AwaitLargeEntry(const SegmentSlot& slot, const LesseeWord& lessee,
                       uint64_t deadline_ns) const;

  // Producers are at most in the one behind the first that is not written.
  static constexpr uint64_t kNeverSeen = 4;

  std::shared_ptr<Arena> arena_;
  ArenaHeader& header_;
  uint64_t newest_ = 0;  // that was written, or begun with; in the memory of the process
  PagesAhead pages_;
  const std::unique_ptr<Spills> spills_;
  // Segments that were claimed for nobody, since others lease them: of each shard of set 0, then of
  // set 1.
  std::vector<std::atomic<uint32_t>> passed_;
};

}  // namespace shardlog::engine
