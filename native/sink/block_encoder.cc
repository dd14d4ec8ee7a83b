#include "sink/block_encoder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "format/block.h"
#include "format/crc32c.h"

namespace shardlog::engine {
namespace {

constexpr size_t kScratchBytes = 1u << 20;
constexpr size_t kCopiesBytes = 4u << 20;
constexpr size_t kMaxTail = 64u << 10;  // alignment + sector, for any alignment up to 32 KiB

// What of the segment is whole entries: all, but for memory that somebody else wrote over and for
// damaged arenas.
format::WholeEntries WholeOf(const SealedSegment& segment) {
  return format::FindWholeEntries(segment.data + format::kBlockHeaderBytes, segment.valid);
}

uint64_t MemoryBytes(const SealedSegment& segment, const Geometry& geometry) {
  // [MM counter] relaxed: published by accept, read behind the seal.
  return uint64_t{segment.slot->span.load(std::memory_order_relaxed)} * geometry.segment_bytes;
}

// Of a block with so many bytes of entries.
size_t BytesInLog(uint64_t valid, size_t alignment) {
  return format::AlignUp(format::BlockExtent(valid), alignment);
}

}  // namespace

BlockEncoder::BlockEncoder(const Geometry& geometry)
    : geometry_(geometry), pieces_(BatchWriter::Unit::kBlocks) {
  scratch_.Reserve(kScratchBytes, 0);
}

IoStatus BlockEncoder::Write(LogFile* log, const BlockContext& context,
                             const std::vector<SealedSegment>& segments, WriteProgress* progress,
                             LinesInLog*) {
  progress->totals().entries_of_shard.resize(geometry_.num_shards);
  pieces_.Start(log, progress->torn());
  blocks_.clear();
  scratch_used_ = copied_ = 0;
  const uint64_t done = context.generation + 1;
  const bool copies =
      progress->is_skipping() || (context.arena != nullptr && !context.arena->path().empty());
  if (copies && !ReserveCopies(segments, log->alignment())) return {ENOMEM, "malloc"};
  for (const SealedSegment& segment : segments) {
    if (segment.slot->in_log == done) continue;
    if (copies && !HasRoomForCopy(segment, log->alignment())) {
      const IoStatus status = WriteBatch(context, progress);
      if (!status.ok()) return status;
      HasRoomForCopy(segment, log->alignment());
    }
    if (copies) {
      AddCopy(segment, context, log->alignment(), progress);
    } else {
      Add(segment, context, log->alignment(), progress);
    }
    if (!BatchIsFull()) continue;
    const IoStatus status = WriteBatch(context, progress);
    if (!status.ok()) return status;
  }
  return WriteBatch(context, progress);
}

format::Trailer BlockEncoder::TrailerOf(const SealedSegment& segment, const BlockContext& context,
                                        uint64_t sequence, uint64_t entries) const {
  const SegmentSlot& slot = *segment.slot;
  format::Trailer trailer;
  trailer.flags = context.flags;
  trailer.stream = context.stream;
  trailer.sequence = sequence;
  // [MM counter] relaxed: published by the accept that the seal has seen, or by the release.
  trailer.first_time = slot.claimed_time.load(std::memory_order_relaxed);
  const uint64_t released = slot.released_time.load(std::memory_order_relaxed);  // [MM counter]
  trailer.last_time = segment.leased || released == 0 ? context.sealed_time : released;
  trailer.entries = static_cast<uint32_t>(entries);
  trailer.generation = static_cast<uint32_t>(context.generation);
  trailer.segment = segment.shard * geometry_.segments_per_shard + segment.segment;
  trailer.producer = slot.producer.load(std::memory_order_relaxed);  // [MM counter]
  return trailer;
}

void BlockEncoder::Add(const SealedSegment& segment, const BlockContext& context, size_t alignment,
                       WriteProgress* progress) {
  const auto [valid, entries] = WholeOf(segment);
  if (valid != segment.valid) progress->totals().damaged++;
  if (valid == 0) return;
  const uint64_t memory_bytes = MemoryBytes(segment, geometry_);
  format::EncodeHeader(segment.data,
                       {static_cast<uint32_t>(memory_bytes), static_cast<uint32_t>(valid)});
  const uint32_t crc = format::Crc32c(segment.data, format::kBlockHeaderBytes + valid);
  const uint64_t sequence = context.sequence + progress->blocks() + blocks_.size();
  const format::Trailer trailer = TrailerOf(segment, context, sequence, entries);

  const uint64_t end = BytesInLog(valid, alignment);
  if (!segment.leased && end <= memory_bytes) {
    format::BuildTail(segment.data, 0, end, valid, trailer, crc);
    pieces_.Add(segment.data, end);
  } else {
    // The lessee may be copying an entry behind ours: what it touches must not reach the disk.
    const uint64_t tail_start = format::AlignDown(format::kBlockHeaderBytes + valid, alignment);
    uint8_t* tail = TakeScratch(end - tail_start);
    std::memcpy(tail, segment.data + tail_start, format::kBlockHeaderBytes + valid - tail_start);
    format::BuildTail(tail, tail_start, end, valid, trailer, crc);
    if (tail_start > 0) pieces_.Add(segment.data, tail_start);
    pieces_.Add(tail, end - tail_start);
  }
  EndBlock(segment, end, segment.data + format::kBlockHeaderBytes, valid, {valid, entries});
}

// `whole`: what of the segment is in the log then.
void BlockEncoder::EndBlock(const SealedSegment& segment, uint64_t bytes, const uint8_t* from,
                            size_t valid, const format::WholeEntries& whole) {
  pieces_.EndBlock();
  const uint64_t payload = whole.bytes - whole.entries * format::kEntryPrefixBytes;
  blocks_.push_back({segment.slot, segment.shard, bytes, payload, whole.entries, from, valid});
}

// For the largest of the segments, and as many as make a batch. False: there is no memory.
bool BlockEncoder::ReserveCopies(const std::vector<SealedSegment>& segments, size_t alignment) {
  size_t all = 0;
  size_t largest = 0;
  for (const SealedSegment& segment : segments) {
    const size_t bytes = BytesInLog(segment.valid, alignment);
    all += bytes;
    largest = std::max(largest, bytes);
  }
  try {
    copies_.Trim(std::max(largest, kCopiesBytes));
    copies_.Reserve(std::max(largest, std::min(all, kCopiesBytes)), 0);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

// False: first the batch has to be written, which needs what there is.
bool BlockEncoder::HasRoomForCopy(const SealedSegment& segment, size_t alignment) {
  const size_t bytes = BytesInLog(segment.valid, alignment);
  if (copied_ + bytes <= copies_.capacity()) return true;
  if (!pieces_.empty()) return false;
  copied_ = 0;
  return true;
}

void BlockEncoder::AddCopy(const SealedSegment& segment, const BlockContext& context,
                           size_t alignment, WriteProgress* progress) {
  uint8_t* const block = copies_.data() + copied_;
  uint8_t* const copied = block + format::kBlockHeaderBytes;
  const uint8_t* const from = segment.data + format::kBlockHeaderBytes;
  const size_t skipped = progress->SkippedOf(segment.slot);
  std::memcpy(copied, from + skipped, segment.valid - skipped);
  const format::WholeEntries before = format::FindWholeEntries(from, skipped);
  const auto [valid, entries] = format::FindWholeEntries(copied, segment.valid - skipped);
  if (valid != segment.valid - skipped) progress->totals().damaged++;
  if (valid == 0) {
    CountSkipped(segment, before, context, progress);
    return;
  }
  format::EncodeHeader(block, {static_cast<uint32_t>(MemoryBytes(segment, geometry_)),
                               static_cast<uint32_t>(valid)});
  const uint32_t crc = format::Crc32c(block, format::kBlockHeaderBytes + valid);
  const uint64_t sequence = context.sequence + progress->blocks() + blocks_.size();
  const uint64_t end = BytesInLog(valid, alignment);
  format::BuildTail(block, 0, end, valid, TrailerOf(segment, context, sequence, entries), crc);
  pieces_.Add(block, end);
  copied_ += end;
  EndBlock(segment, end, copied, valid, {before.bytes + valid, before.entries + entries});
}

// All of the segment is somewhere already.
void BlockEncoder::CountSkipped(const SealedSegment& segment, const format::WholeEntries& whole,
                                const BlockContext& context, WriteProgress* progress) {
  if (whole.bytes == 0) return;
  segment.slot->in_log = context.generation + 1;
  BlockTotals& totals = progress->totals();
  totals.payload += whole.bytes - whole.entries * format::kEntryPrefixBytes;
  totals.entries += whole.entries;
  totals.entries_of_shard[segment.shard] += whole.entries;
  progress->EndSkipping();
}

std::vector<uint8_t> BlockEncoder::BlockOf(const SealedSegment& segment, size_t skipped,
                                           const BlockContext& context, uint64_t sequence,
                                           size_t alignment) const {
  const uint8_t* const from = segment.data + format::kBlockHeaderBytes + skipped;
  const size_t valid = format::FindWholeEntries(from, segment.valid - skipped).bytes;
  return BlockOf(segment, std::vector<uint8_t>(from, from + valid), context, sequence, alignment);
}

std::vector<uint8_t> BlockEncoder::BlockOf(const SealedSegment& segment,
                                           const std::vector<uint8_t>& entries,
                                           const BlockContext& context, uint64_t sequence,
                                           size_t alignment) const {
  if (entries.empty()) return {};
  const size_t valid = entries.size();
  std::vector<uint8_t> block(BytesInLog(valid, alignment));
  const uint64_t memory_bytes = MemoryBytes(segment, geometry_);
  format::EncodeHeader(block.data(),
                       {static_cast<uint32_t>(memory_bytes), static_cast<uint32_t>(valid)});
  std::memcpy(block.data() + format::kBlockHeaderBytes, entries.data(), valid);
  const uint32_t crc = format::Crc32c(block.data(), format::kBlockHeaderBytes + valid);
  const uint64_t count = format::FindWholeEntries(entries.data(), valid).entries;
  format::BuildTail(block.data(), 0, block.size(), valid,
                    TrailerOf(segment, context, sequence, count), crc);
  return block;
}

uint8_t* BlockEncoder::TakeScratch(size_t bytes) {
  uint8_t* memory = scratch_.data() + scratch_used_;
  scratch_used_ += bytes;
  return memory;
}

bool BlockEncoder::BatchIsFull() const {
  return pieces_.IsFull() || scratch_used_ + kMaxTail > kScratchBytes;
}

// What has come into the log is marked in the arena before the journal says so.
IoStatus BlockEncoder::WriteBatch(const BlockContext& context, WriteProgress* progress) {
  if (context.IsSourceCut()) return kArenaIsCut;
  const IoStatus status = pieces_.Write();
  BlockTotals& totals = progress->totals();
  for (size_t i = 0; i < pieces_.whole_blocks(); i++) {
    const Block& block = blocks_[i];
    block.slot->in_log = context.generation + 1;
    totals.bytes += block.bytes;
    totals.payload += block.payload;
    totals.entries += block.entries;
    totals.entries_of_shard[block.shard] += block.entries;
    totals.blocks++;
  }
  if (pieces_.whole_blocks() != 0) progress->EndSkipping();
  progress->Advance(pieces_.log(), 0, pieces_.whole_blocks(), pieces_.torn());
  if (pieces_.torn() != 0) {
    const Block& block = blocks_[pieces_.whole_blocks()];
    progress->SetTornBlock(block.from, block.valid, block.slot);
  }
  blocks_.clear();
  if (status.ok()) scratch_used_ = copied_ = 0;
  return status;
}

}  // namespace shardlog::engine
