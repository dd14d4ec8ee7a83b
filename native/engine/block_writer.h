// Turns sealed segments into blocks in the file: header, entries as they lie in the arena, padding,
// trailer, in as few writes as possible.
//
// Thread: the flusher, or recovery. Not shared.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/aligned_memory.h"
#include "engine/set_writer.h"
#include "format/block.h"
#include "io/file.h"

namespace shardlog::engine {

class BlockWriter final : public SetWriter {
 public:
  explicit BlockWriter(const Geometry& geometry);

  uint64_t MostBytes(const std::vector<SealedSegment>& segments, size_t alignment) const override;
  IoStatus Write(io::File* file, uint64_t base, const BlockContext& context,
                 const std::vector<SealedSegment>& segments, BlockTotals* totals) override;
  bool MayHaveWritten(const uint8_t* there, size_t size,
                      const std::vector<SealedSegment>& segments) override;

 private:
  BlockTotals CountWhole(uint64_t base, const std::vector<SealedSegment>& segments) const;
  format::BlockHeader HeaderOf(const SealedSegment& segment) const;
  void Add(const SealedSegment& segment, const BlockContext& context, BlockTotals* totals);
  uint8_t* TakeScratch(size_t bytes);
  bool BatchIsFull() const;
  IoStatus WriteBatch();

  const Geometry geometry_;
  AlignedMemory scratch_;  // tails of blocks whose segment is leased
  size_t scratch_used_ = 0;
  PieceWriter pieces_;
};

}  // namespace shardlog::engine
