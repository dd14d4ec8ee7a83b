#include "engine/buffer_sets.h"

#include <time.h>

#include <algorithm>

#include "format/block.h"
#include "platform/clock.h"

namespace shardlog::engine {
namespace {

constexpr long kLargeEntryPollNs = 50'000;

}  // namespace

BufferSets::BufferSets(std::shared_ptr<Arena> arena)
    : arena_(std::move(arena)),
      header_(arena_->header()),
      pages_(*arena_),
      spills_(std::make_unique<Spills>(*arena_)),
      passed_(size_t{2} * arena_->geometry().num_shards) {}

bool BufferSets::TrySwap(uint64_t generation) {
  if (recycled() != generation) return active() != generation;
  uint64_t expected = generation;
  // [MM swap] acq_rel: whoever reads the new generation finds its set free.
  header_.active.compare_exchange_strong(expected, generation + 1, std::memory_order_acq_rel,
                                         std::memory_order_acquire);  // [MM swap]
  return true;
}

bool BufferSets::NearlyFull(uint64_t generation) const {
  for (uint32_t shard = 0; shard < geometry().num_shards; shard++) {
    if (NearlyFull(generation, shard)) return true;
  }
  return false;
}

bool BufferSets::NearlyFull(uint64_t generation, uint32_t shard) const {
  const Geometry& g = geometry();
  const ClaimState claim = arena_->claim(generation, shard).Read();
  if (!claim.Accepts(generation)) return false;
  const uint32_t passed = Passed(generation, shard, claim);
  return (claim.full() && g.IsMostlyUsable(passed)) || g.IsNearlyFull(claim.claimed(), passed);
}

bool BufferSets::IsAtThreshold(uint64_t generation, uint32_t shard) const {
  const Geometry& g = geometry();
  const ClaimState claim = arena_->claim(generation, shard).Read();
  return claim.Accepts(generation) && claim.claimed() >= g.segments_below_threshold() &&
         g.IsMostlyUsable(Passed(generation, shard, claim));
}

uint32_t BufferSets::Passed(uint64_t generation, uint32_t shard, ClaimState claim) const {
  // [MM counter] relaxed: a policy, not a protocol.
  const auto passed =
      passed_[geometry().shard_index(generation, shard)].load(std::memory_order_relaxed);
  return std::min(passed, claim.claimed());
}

bool BufferSets::IsClaimed(uint64_t generation) const {
  for (uint32_t shard = 0; shard < geometry().num_shards; shard++) {
    if (Claimed(generation, shard) != 0) return true;
  }
  return false;
}

// Clamped, because recovery meets arenas that something else has written over.
uint32_t BufferSets::Claimed(uint64_t generation, uint32_t shard) const {
  return std::min(arena_->claim(generation, shard).Read().claimed(), geometry().segments_per_shard);
}

bool BufferSets::HasEntries(uint64_t generation) const {
  for (uint32_t shard = 0; shard < geometry().num_shards; shard++) {
    const uint32_t claimed = Claimed(generation, shard);
    for (uint32_t i = 0; i < claimed; i++) {
      if (arena_->slot(generation, shard, i).Peek().has_entries()) return true;
    }
  }
  return false;
}

double BufferSets::UtilizationPct(uint32_t shard) const {
  const uint64_t generation = active();
  const uint32_t claimed = Claimed(generation, shard);
  uint64_t used = 0;
  for (uint32_t i = 0; i < claimed; i++) {
    const OffsetState state = arena_->slot(generation, shard, i).Peek();
    if (state.has_entries()) used += state.offset();
  }
  return 100.0 * static_cast<double>(used) / static_cast<double>(geometry().shard_bytes());
}

uint32_t BufferSets::SegmentsFor(uint64_t bytes) const {
  const Geometry& g = geometry();
  const uint64_t needed =
      format::kBlockHeaderBytes + format::kEntryPrefixBytes + bytes + format::kTrailerBytes;
  const uint64_t segments = (needed + g.segment_bytes - 1) / g.segment_bytes;
  // An entry that fills a whole shard leaves no room for the trailer: a carrier block takes it.
  return static_cast<uint32_t>(std::min<uint64_t>(segments, g.segments_per_shard));
}

ClaimResult BufferSets::Claim(uint64_t generation, uint32_t shard, RunLength length,
                              uint32_t producer, Lease* lease) {
  const Geometry& g = geometry();
  ClaimWord& word = arena_->claim(generation, shard);
  ClaimState seen = word.Read();
  // What is claimed in vain is not there for others.
  if (!arena_->HasItsEnd()) return ClaimResult::kStartOver;
  for (;;) {
    if (!seen.Accepts(generation)) return ClaimResult::kStartOver;
    if (seen.full()) return ClaimResult::kShardFull;
    const uint32_t first = seen.claimed();
    if (g.segments_per_shard - first < length.least) {
      const uint32_t order = NextFullOrder(generation, shard);
      if (word.Change(&seen, seen.WithFull(order))) return ClaimResult::kShardFull;
      continue;
    }
    // Whoever crosses the threshold swaps the set, so that of a run from below it little would be
    // used beyond; what is left from there on is for nobody else then.
    const uint32_t threshold = g.segments_below_threshold();
    const uint32_t end = first < threshold ? threshold : g.segments_per_shard;
    const uint32_t wanted = std::max(length.least, std::min(length.most, end - first));
    const uint32_t segments = CountUnleased(generation, shard, first, wanted);
    if (segments < length.least) {
      const ClaimState behind = seen.WithClaimed(first + segments + 1);
      if (word.Change(&seen, behind)) {
        // [MM counter] relaxed: a policy, not a protocol.
        passed_[geometry().shard_index(generation, shard)].fetch_add(segments + 1,
                                                                     std::memory_order_relaxed);
        seen = behind;
      }
      continue;
    }
    if (!word.Change(&seen, seen.WithClaimed(first + segments))) continue;
    return LeaseRun(generation, shard, first, {length.least, segments}, producer, lease);
  }
}

// Leases the segments [first, first + run.most), which this thread has just claimed.
ClaimResult BufferSets::LeaseRun(uint64_t generation, uint32_t shard, uint32_t first, RunLength run,
                                 uint32_t producer, Lease* lease) {
  const Geometry& g = geometry();
  const uint32_t segments = run.most;
  if (!TakeRun(generation, shard, first, segments, producer)) return ClaimResult::kStartOver;
  SegmentSlot& slot = arena_->slot(generation, shard, first);
  // The second reading: a claimer that slept through a seal and a recycle finds out here (I4). So
  // does one that has claimed or opened what lies in the place of a file that was cut.
  const ClaimWord& word = arena_->claim(generation, shard);
  const bool is_sound = arena_->HasItsEnd() && arena_->IsMarked(&word) && arena_->IsMarked(&slot);
  if (!is_sound || !word.Read().Accepts(generation)) {
    slot.UndoOpen();
    GiveRunBack(generation, shard, first, segments);
    return ClaimResult::kStartOver;
  }
  // [MM counter] relaxed: only the lessee writes them; accept publishes them.
  slot.claimed_time.store(platform::RealtimeNs(), std::memory_order_relaxed);
  slot.released_time.store(0, std::memory_order_relaxed);    // [MM counter] relaxed: the same
  slot.producer.store(producer, std::memory_order_relaxed);  // [MM counter] relaxed: the same
  slot.span.store(segments, std::memory_order_relaxed);      // [MM counter] relaxed: the same
  slot.needed.store(run.least, std::memory_order_relaxed);   // [MM counter] relaxed: the same
  const bool whole_shard = segments == g.segments_per_shard;
  lease->slot = &slot;
  lease->data = arena_->segment(generation, shard, first);
  lease->limit =
      segments * g.segment_bytes - (whole_shard ? 0 : static_cast<uint32_t>(format::kTrailerBytes));
  lease->span = segments;
  lease->generation = generation;
  lease->shard = shard;
  lease->segment = first;
  return ClaimResult::kLeased;
}

// The number that orders a shard behind those that were full before it. Called after the shard's
// own claim word was read, as invariant I8 wants.
uint32_t BufferSets::NextFullOrder(uint64_t generation, uint32_t shard) const {
  uint32_t highest = 0;
  for (uint32_t other = 0; other < geometry().num_shards; other++) {
    if (other == shard) continue;
    const ClaimState claim = arena_->claim(generation, other).Read();
    if (claim.Accepts(generation) && claim.full()) highest = std::max(highest, claim.full_order());
  }
  return highest + 1;
}

// How many of the `most` segments from `first` on nobody leases, up to the first that somebody
// does.
uint32_t BufferSets::CountUnleased(uint64_t generation, uint32_t shard, uint32_t first,
                                   uint32_t most) const {
  uint32_t count = 0;
  while (count < most && arena_->lessee(generation, shard, first + count).Lessee() == 0) count++;
  return count;
}

// Leases every segment of a claimed run and opens the first. False, with nothing held, if the set
// was sealed meanwhile.
bool BufferSets::TakeRun(uint64_t generation, uint32_t shard, uint32_t first, uint32_t segments,
                         uint32_t producer) const {
  for (uint32_t taken = 0; taken < segments; taken++) {
    if (arena_->lessee(generation, shard, first + taken).TakeLease(producer)) continue;
    GiveRunBack(generation, shard, first, taken);
    return false;
  }
  if (arena_->slot(generation, shard, first).Open()) return true;
  GiveRunBack(generation, shard, first, segments);
  return false;
}

void BufferSets::GiveRunBack(uint64_t generation, uint32_t shard, uint32_t first,
                             uint32_t segments) const {
  for (uint32_t i = 0; i < segments; i++) arena_->lessee(generation, shard, first + i).Release();
}

void BufferSets::Release(Lease* lease) const {
  if (!lease->held()) return;
  // [MM counter] relaxed: the release publishes it.
  lease->slot->released_time.store(platform::RealtimeNs(), std::memory_order_relaxed);
  GiveRunBack(lease->generation, lease->shard, lease->segment, lease->span);
  lease->slot = &header_.null_slot;
  lease->span = 0;
  lease->limit = 0;
}

bool BufferSets::Reacquire(const Lease& lease, uint32_t producer) const {
  SegmentSlot& slot = arena_->slot(lease.generation, lease.shard, lease.segment);
  LesseeWord& lessee = arena_->lessee(lease.generation, lease.shard, lease.segment);
  if (!lessee.TakeLease(producer)) return false;
  if (slot.Reopen() &&
      arena_->claim(lease.generation, lease.shard).Read().Accepts(lease.generation)) {
    // [MM counter] relaxed: what is accepted from here on may be younger. Accept publishes it.
    slot.released_time.store(0, std::memory_order_relaxed);
    return true;
  }
  lessee.Release();
  return false;
}

std::vector<SealedSegment> BufferSets::Seal(uint64_t generation, uint64_t budget_ns) {
  const Geometry& g = geometry();
  const uint64_t deadline = platform::MonotonicNs() + budget_ns;
  struct Shard {
    uint32_t index;
    uint32_t order;
    uint32_t claimed;
  };
  std::vector<Shard> shards;
  for (uint32_t i = 0; i < g.num_shards; i++) {
    const ClaimState claim = arena_->claim(generation, i).Seal();
    if (!claim.IsOf(generation)) continue;  // only in an arena that something has written over
    shards.push_back({i, claim.full() ? claim.full_order() : UINT32_MAX,
                      std::min(claim.claimed(), g.segments_per_shard)});
  }
  std::stable_sort(shards.begin(), shards.end(),
                   [](const Shard& a, const Shard& b) { return a.order < b.order; });
  std::vector<SealedSegment> sealed;
  for (const Shard& shard : shards) {
    for (uint32_t i = 0; i < shard.claimed; i++) {
      SegmentSlot& slot = arena_->slot(generation, shard.index, i);
      const LesseeWord& lessee = arena_->lessee(generation, shard.index, i);
      AwaitLargeEntry(slot, lessee, deadline);
      const OffsetState state = slot.Seal();
      if (!state.has_entries()) continue;
      sealed.push_back({&slot, arena_->segment(generation, shard.index, i), shard.index, i,
                        state.offset() - static_cast<uint32_t>(format::kBlockHeaderBytes),
                        lessee.Lessee() != 0, spills_.get()});
    }
  }
  return sealed;
}

void BufferSets::AwaitLargeEntry(const SegmentSlot& slot, const LesseeWord& lessee,
                                 uint64_t deadline_ns) const {
  // [MM counter] relaxed: see SegmentSlot::needed.
  while (slot.Peek().bits == format::kBlockHeaderBytes &&
         slot.needed.load(std::memory_order_relaxed) > 1 && lessee.Lessee() != 0 &&  // [MM counter]
         platform::MonotonicNs() < deadline_ns) {
    const timespec pause{0, kLargeEntryPollNs};
    nanosleep(&pause, nullptr);
  }
}

void BufferSets::MarkWritten(uint64_t generation) {
  // [MM written-store] release: the blocks are on the device before recovery may skip them.
  header_.written.store(generation + 1, std::memory_order_release);
  newest_ = std::max(newest_, generation + 1);
  spills_->Remove(generation);
}

void BufferSets::Recycle(uint64_t generation) {
  for (uint32_t shard = 0; shard < geometry().num_shards; shard++) {
    const uint32_t claimed = Claimed(generation, shard);
    for (uint32_t i = 0; i < claimed; i++) arena_->slot(generation, shard, i).Recycle();
  }
  for (uint32_t shard = 0; shard < geometry().num_shards; shard++) {
    // [MM counter] relaxed: a policy, not a protocol.
    passed_[geometry().shard_index(generation, shard)].store(0, std::memory_order_relaxed);
    arena_->claim(generation, shard).Reset(generation + 2);
  }
  // [MM recycled-store] release: the set is free for whoever reads this.
  header_.recycled.store(generation + 1, std::memory_order_release);
}

uint64_t BufferSets::CountWaiting(uint64_t generation) const {
  uint64_t entries = 0;
  for (uint32_t shard = 0; shard < geometry().num_shards; shard++) {
    const uint32_t claimed = Claimed(generation, shard);
    for (uint32_t i = 0; i < claimed; i++) {
      const OffsetState state = arena_->slot(generation, shard, i).Peek();
      if (!state.has_entries()) continue;
      const int64_t count =
          format::CountEntries(arena_->segment(generation, shard, i) + format::kBlockHeaderBytes,
                               state.offset() - format::kBlockHeaderBytes);
      if (count > 0) entries += static_cast<uint64_t>(count);
    }
  }
  return entries;
}

}  // namespace shardlog::engine
