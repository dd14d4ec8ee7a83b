// Turns sealed segments into blocks in the file: header, entries as they lie in the arena, padding,
// trailer, in as few writes as possible.
//
// Thread: the flusher, or recovery. Not shared.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/aligned_memory.h"
#include "format/block.h"
#include "sink/generation_encoder.h"

namespace shardlog::engine {

class BlockEncoder final : public GenerationEncoder {
 public:
  explicit BlockEncoder(const Geometry& geometry);

  // Segments that are in the log already (SegmentSlot::in_log) are passed over.
  IoStatus Write(LogFile* log, const BlockContext& context,
                 const std::vector<SealedSegment>& segments, WriteProgress* progress,
                 LinesInLog* in_log) override;

  // The whole block of a segment that nobody leases, as Write appends it, but for the entries in
  // its first `skipped` bytes; empty if there is nothing whole behind them.
  std::vector<uint8_t> BlockOf(const SealedSegment& segment, size_t skipped,
                               const BlockContext& context, uint64_t sequence,
                               size_t alignment) const;
  // The same with these entries of the segment, which are whole.
  std::vector<uint8_t> BlockOf(const SealedSegment& segment, const std::vector<uint8_t>& entries,
                               const BlockContext& context, uint64_t sequence,
                               size_t alignment) const;

 private:
  // A block of the batch.
  struct Block {
    SegmentSlot* slot;
    uint32_t shard;
    uint64_t bytes;
    uint64_t payload;
    uint64_t entries;
    const uint8_t* from;  // its entries
    size_t valid;
  };

  void Add(const SealedSegment& segment, const BlockContext& context, size_t alignment,
           WriteProgress* progress);
  format::Trailer TrailerOf(const SealedSegment& segment, const BlockContext& context,
                            uint64_t sequence, uint64_t entries) const;
  uint8_t* TakeScratch(size_t bytes);
  void AddCopy(const SealedSegment& segment, const BlockContext& context, size_t alignment,
               WriteProgress* progress);
  void EndBlock(const SealedSegment& segment, uint64_t bytes, const uint8_t* from, size_t valid,
                const format::WholeEntries& whole);
  void CountSkipped(const SealedSegment& segment, const format::WholeEntries& whole,
                    const BlockContext& context, WriteProgress* progress);
  bool ReserveCopies(const std::vector<SealedSegment>& segments, size_t alignment);
  bool HasRoomForCopy(const SealedSegment& segment, size_t alignment);
  bool BatchIsFull() const;
  IoStatus WriteBatch(const BlockContext& context, WriteProgress* progress);

  const Geometry geometry_;
  // Blocks, where another program may cut what they are made of before they are written.
  AlignedMemory copies_;
  size_t copied_ = 0;
  AlignedMemory scratch_;  // tails of blocks whose segment is leased
  size_t scratch_used_ = 0;
  BatchWriter pieces_;
  std::vector<Block> blocks_;  // of the batch
};

}  // namespace shardlog::engine
