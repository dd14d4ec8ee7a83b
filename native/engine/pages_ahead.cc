#include "engine/pages_ahead.h"

#include <algorithm>

namespace shardlog::engine {
namespace {

// Far enough that a producer that writes 100 MB/s does not get there while the flusher wakes up.
constexpr uint64_t kAheadBytes = 512u << 10;

}  // namespace

PagesAhead::PagesAhead(const Arena& arena)
    : arena_(arena),
      ahead_(static_cast<uint32_t>(
          std::max<uint64_t>(kAheadBytes / std::max(arena.geometry().segment_bytes, 1u), 2))),
      shards_(size_t{2} * arena.geometry().num_shards) {}

bool PagesAhead::Want(uint64_t generation, uint32_t shard, uint32_t end) {
  const Geometry& g = arena_.geometry();
  Shard& here = shards_[g.shard_index(generation, shard)];
  // [MM counter] relaxed: a policy, not a protocol.
  const uint32_t touched = here.touched.load(std::memory_order_relaxed);
  if (touched >= g.segments_per_shard || end + ahead_ / 2 <= touched) return false;
  // After the swap the shard's other half comes next.
  Raise(&shards_[g.shard_index(generation + 1, shard)], ahead_);
  return Raise(&here, end + ahead_);
}

bool PagesAhead::Raise(Shard* shard, uint32_t wanted) const {
  const uint32_t most = std::min(wanted, arena_.geometry().segments_per_shard);
  uint32_t seen = shard->wanted.load(std::memory_order_relaxed);  // [MM counter] relaxed: the same
  while (seen < most) {
    // [MM counter] relaxed: the same.
    if (shard->wanted.compare_exchange_weak(seen, most, std::memory_order_relaxed)) return true;
  }
  return false;
}

void PagesAhead::Touch() {
  const uint32_t num_shards = arena_.geometry().num_shards;
  for (uint32_t i = 0; i < shards_.size(); i++) {
    Shard& shard = shards_[i];
    // [MM counter] relaxed: a policy, not a protocol.
    const uint32_t wanted = shard.wanted.load(std::memory_order_relaxed);
    const uint32_t touched = shard.touched.load(std::memory_order_relaxed);  // [MM counter]
    if (wanted <= touched) continue;
    // What cannot be touched is not tried again: producers get there in their own time.
    static_cast<void>(arena_.Touch(i / num_shards, i % num_shards, touched, wanted));
    shard.touched.store(wanted, std::memory_order_relaxed);  // [MM counter] relaxed: the same
  }
}

void PagesAhead::Forget() {
  for (Shard& shard : shards_) {
    // [MM counter] relaxed: the same.
    if (shard.wanted.load(std::memory_order_relaxed) != 0) {
      shard.touched.store(0, std::memory_order_relaxed);  // [MM counter] relaxed: the same
    }
  }
}

void PagesAhead::Stop() {
  for (Shard& shard : shards_) {
    // [MM counter] relaxed: the same.
    shard.touched.store(arena_.geometry().segments_per_shard, std::memory_order_relaxed);
  }
}

}  // namespace shardlog::engine
