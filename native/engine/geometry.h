// How a buffer is cut: two sets of shards, shards of segments.
#pragma once

#include <cstdint>

namespace shardlog::engine {

inline constexpr uint64_t kPageBytes = 4096;
inline constexpr uint32_t kMaxShards = 256;
inline constexpr uint64_t kMinShardBytes = 64u << 10;
inline constexpr uint64_t kMaxShardBytes = 1u << 30;

struct Geometry {
  uint32_t num_shards = 0;
  uint32_t segments_per_shard = 0;  // 16 to 1024
  uint32_t segment_bytes = 0;       // a power of two, 4 KiB to 1 MiB

  constexpr uint64_t shard_bytes() const { return uint64_t{segments_per_shard} * segment_bytes; }
  constexpr uint64_t set_bytes() const { return shard_bytes() * num_shards; }
  // Of what there is one for each shard of set 0, then for each of set 1.
  constexpr uint32_t shard_index(uint64_t generation, uint32_t shard) const {
    return static_cast<uint32_t>(generation & 1) * num_shards + shard;
  }
  constexpr uint32_t segments_per_set() const { return num_shards * segments_per_shard; }

  // The fill threshold of 90 % (docs/decisions/fill-threshold.md), in claimed segments of a shard,
  // of which so many were `passed` over. Of less than half a shard it is not worth a swap.
  constexpr bool IsNearlyFull(uint32_t claimed, uint32_t passed) const {
    return IsMostlyUsable(passed) &&
           uint64_t{claimed - passed} * 10 >= uint64_t{segments_per_shard - passed} * 9;
  }
  constexpr bool IsMostlyUsable(uint32_t passed) const { return 2 * passed <= segments_per_shard; }
  // The most of them that are below it.
  constexpr uint32_t segments_below_threshold() const {
    return static_cast<uint32_t>((uint64_t{segments_per_shard} * 9 - 1) / 10);
  }

  // A block of one entry that fills a shard: capacity - header - length prefix
  // (docs/decisions/largest-entry.md).
  uint64_t max_entry_bytes() const { return shard_bytes() - 12; }

  bool operator==(const Geometry&) const = default;

  // Whether the numbers are ones that ForBuffer could have made. Guards against corrupt arenas.
  bool IsSane() const;

  // Cuts `buffer_bytes`, both sets together. About 32 segments a shard: few enough that leasing the
  // next one is rare (once in 1,200 entries of 100 bytes, by default) and that sealing a set takes
  // microseconds, many enough that leased segments of idle threads cost little. Throws
  // Error(ERR_SHARDLOG_CONFIG) if a shard would be too small or too large.
  static Geometry ForBuffer(uint64_t buffer_bytes, uint32_t num_shards);
};

}  // namespace shardlog::engine
