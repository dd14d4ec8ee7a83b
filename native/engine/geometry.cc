#include "engine/geometry.h"

#include <algorithm>
#include <bit>
#include <string>

#include "engine/error.h"

namespace shardlog::engine {
namespace {

constexpr uint64_t kMinSegmentBytes = kPageBytes;
constexpr uint64_t kMaxSegmentBytes = 1u << 20;
constexpr uint64_t kSegmentsAimedAt = 32;

}  // namespace

bool Geometry::IsSane() const {
  return num_shards >= 1 && num_shards <= kMaxShards && std::has_single_bit(segment_bytes) &&
         segment_bytes >= kMinSegmentBytes && segment_bytes <= kMaxSegmentBytes &&
         segments_per_shard >= 1 && shard_bytes() >= kMinShardBytes &&
         shard_bytes() <= kMaxShardBytes;
}

Geometry Geometry::ForBuffer(uint64_t buffer_bytes, uint32_t num_shards) {
  if (num_shards < 1 || num_shards > kMaxShards) {
    throw Error("ERR_SHARDLOG_CONFIG",
                "numShards must be 1 to 256, got " + std::to_string(num_shards));
  }
  const uint64_t shard_bytes = buffer_bytes / 2 / num_shards;
  if (shard_bytes < kMinShardBytes || shard_bytes > kMaxShardBytes) {
    throw Error("ERR_SHARDLOG_CONFIG", std::string("shard size too ") +
                                           (shard_bytes < kMinShardBytes ? "small" : "large") +
                                           ": bufferSize / 2 / numShards is " +
                                           std::to_string(shard_bytes) +
                                           " bytes, allowed are 64 KiB to 1 GiB");
  }
  Geometry geometry;
  geometry.num_shards = num_shards;
  geometry.segment_bytes = static_cast<uint32_t>(std::clamp(
      std::bit_floor(shard_bytes / kSegmentsAimedAt), kMinSegmentBytes, kMaxSegmentBytes));
  geometry.segments_per_shard = static_cast<uint32_t>(shard_bytes / geometry.segment_bytes);
  return geometry;
}

}  // namespace shardlog::engine
