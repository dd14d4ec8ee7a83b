#include "engine/block_writer.h"

#include <algorithm>
#include <cstring>

#include "format/block.h"
#include "format/crc32c.h"

namespace shardlog::engine {
namespace {

constexpr size_t kScratchBytes = 1u << 20;
constexpr size_t kLargestTail = 64u << 10;  // alignment + sector, for any alignment up to 32 KiB

// What of the segment is whole entries: all, but for memory that somebody else wrote over and for
// damaged arenas.
format::WholeEntries WholeOf(const SealedSegment& segment) {
  return format::FindWholeEntries(segment.data + format::kBlockHeaderBytes, segment.valid);
}

uint64_t MemoryBytes(const SealedSegment& segment, const Geometry& geometry) {
  // [MM counter] relaxed: published by accept, read behind the seal.
  return uint64_t{segment.slot->span.load(std::memory_order_relaxed)} * geometry.segment_bytes;
}

}  // namespace

BlockWriter::BlockWriter(const Geometry& geometry) : geometry_(geometry) {
  scratch_.Reserve(kScratchBytes, 0);
}

uint64_t BlockWriter::MostBytes(const std::vector<SealedSegment>& segments,
                                size_t alignment) const {
  uint64_t bytes = 0;
  for (const SealedSegment& segment : segments) {
    bytes += format::AlignUp(format::BlockExtent(segment.valid), alignment);
  }
  return bytes;
}

IoStatus BlockWriter::Write(io::File* file, uint64_t base, const BlockContext& context,
                            const std::vector<SealedSegment>& segments, BlockTotals* totals) {
  pieces_.Start(file, base);
  scratch_used_ = 0;
  BlockTotals sum;
  sum.entries_of_shard.resize(geometry_.num_shards);
  for (const SealedSegment& segment : segments) {
    Add(segment, context, &sum);
    if (!BatchIsFull()) continue;
    const IoStatus status = WriteBatch();
    if (status.ok()) continue;
    *totals = CountWhole(base, segments);
    return status;
  }
  const IoStatus status = WriteBatch();
  if (!status.ok()) {
    *totals = CountWhole(base, segments);
    return status;
  }
  sum.bytes = pieces_.offset() - base;
  *totals = std::move(sum);
  return {};
}

// After a failure: the blocks that end before the offset which the file has got to.
BlockTotals BlockWriter::CountWhole(uint64_t base,
                                    const std::vector<SealedSegment>& segments) const {
  BlockTotals sum;
  sum.entries_of_shard.resize(geometry_.num_shards);
  for (const SealedSegment& segment : segments) {
    const auto [valid, entries] = WholeOf(segment);
    if (valid == 0) continue;
    const uint64_t bytes = format::AlignUp(format::BlockExtent(valid), pieces_.alignment());
    if (base + sum.bytes + bytes > pieces_.offset()) break;
    sum.bytes += bytes;
    sum.payload += valid - entries * format::kEntryPrefixBytes;
    sum.entries += entries;
    sum.entries_of_shard[segment.shard] += entries;
    sum.blocks++;
  }
  return sum;
}

bool BlockWriter::MayHaveWritten(const uint8_t* there, size_t size,
                                 const std::vector<SealedSegment>& segments) {
  for (const SealedSegment& segment : segments) {
    const format::BlockHeader header = HeaderOf(segment);
    if (header.valid == 0) continue;  // not written
    uint8_t ours[format::kBlockHeaderBytes];
    format::EncodeHeader(ours, header);
    return std::memcmp(there, ours, std::min(size, sizeof ours)) == 0;
  }
  return false;
}

// The header of the segment's block; valid is 0 if there is nothing whole in it, and no block.
format::BlockHeader BlockWriter::HeaderOf(const SealedSegment& segment) const {
  return {static_cast<uint32_t>(MemoryBytes(segment, geometry_)),
          static_cast<uint32_t>(WholeOf(segment).bytes)};
}

void BlockWriter::Add(const SealedSegment& segment, const BlockContext& context,
                      BlockTotals* totals) {
  const auto [valid, entries] = WholeOf(segment);
  if (valid != segment.valid) totals->damaged++;
  if (valid == 0) return;
  const SegmentSlot& slot = *segment.slot;
  const uint64_t memory_bytes = MemoryBytes(segment, geometry_);
  format::EncodeHeader(segment.data,
                       {static_cast<uint32_t>(memory_bytes), static_cast<uint32_t>(valid)});
  const uint32_t crc = format::Crc32c(segment.data, format::kBlockHeaderBytes + valid);

  format::Trailer trailer;
  trailer.flags = context.flags;
  trailer.stream = context.stream;
  trailer.sequence = context.sequence + totals->blocks;
  trailer.first_time = slot.claimed_time;
  trailer.last_time =
      segment.leased || slot.released_time == 0 ? context.sealed_time : slot.released_time;
  trailer.entries = static_cast<uint32_t>(entries);
  trailer.generation = static_cast<uint32_t>(context.generation);
  trailer.segment = segment.shard * geometry_.segments_per_shard + segment.segment;
  trailer.producer = slot.producer;

  const uint64_t end = format::AlignUp(format::BlockExtent(valid), pieces_.alignment());
  if (!segment.leased && end <= memory_bytes) {
    format::BuildTail(segment.data, 0, end, valid, trailer, crc);
    pieces_.Add(segment.data, end);
  } else {
    // The lessee may be copying an entry behind ours: what it touches must not reach the disk.
    const uint64_t tail_start =
        format::AlignDown(format::kBlockHeaderBytes + valid, pieces_.alignment());
    uint8_t* tail = TakeScratch(end - tail_start);
    std::memcpy(tail, segment.data + tail_start, format::kBlockHeaderBytes + valid - tail_start);
    format::BuildTail(tail, tail_start, end, valid, trailer, crc);
    if (tail_start > 0) pieces_.Add(segment.data, tail_start);
    pieces_.Add(tail, end - tail_start);
  }
  totals->payload += valid - entries * format::kEntryPrefixBytes;
  totals->entries += entries;
  totals->entries_of_shard[segment.shard] += entries;
  totals->blocks++;
}

uint8_t* BlockWriter::TakeScratch(size_t bytes) {
  uint8_t* memory = scratch_.data() + scratch_used_;
  scratch_used_ += bytes;
  return memory;
}

bool BlockWriter::BatchIsFull() const {
  return pieces_.IsFull() || scratch_used_ + kLargestTail > kScratchBytes;
}

IoStatus BlockWriter::WriteBatch() {
  const IoStatus status = pieces_.Write();
  if (status.ok()) scratch_used_ = 0;
  return status;
}

}  // namespace shardlog::engine
