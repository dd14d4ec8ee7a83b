// Turns sealed segments into blocks in the file: header, entries as they lie in the arena, padding,
// trailer, in as few writes as possible.
//
// Thread: the flusher, or recovery. Not shared.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/buffer_sets.h"
#include "engine/piece_writer.h"
#include "format/block.h"
#include "io/file.h"

namespace shardlog::engine {

// What identifies and dates the blocks of one generation.
struct BlockContext {
  uint64_t generation = 0;
  uint64_t stream = 0;
  uint64_t sequence = 0;  // of the first block
  uint64_t sealed_time = 0;
  uint16_t flags = 0;
};

struct BlockTotals {
  uint64_t bytes = 0;  // everything the kernel accepted
  uint64_t payload = 0;
  uint64_t entries = 0;
  uint64_t blocks = 0;
  uint64_t damaged = 0;  // segments whose entries broke R2 and were cut to what is whole
  std::vector<uint64_t> entries_of_shard;
};

class BlockWriter {
 public:
  explicit BlockWriter(const Geometry& geometry);

  // Bytes that the blocks take in a file whose writes are aligned to `alignment`.
  static uint64_t SizeOf(const std::vector<SealedSegment>& segments, size_t alignment);

  // The header of the segment's block; valid is 0 if there is nothing whole in it, and no block.
  format::BlockHeader HeaderOf(const SealedSegment& segment) const;

  // Writes the blocks from file offset `base` (aligned) on. On failure some of them may be in the
  // file; writing them again at the same base mends that, and *totals tells those that are whole.
  IoStatus Write(io::File* file, uint64_t base, const BlockContext& context,
                 const std::vector<SealedSegment>& segments, BlockTotals* totals);

 private:
  struct Free {
    void operator()(uint8_t* memory) const;
  };

  BlockTotals CountWhole(uint64_t base, const std::vector<SealedSegment>& segments) const;
  void Add(const SealedSegment& segment, const BlockContext& context, uint64_t sequence,
           BlockTotals* totals);
  uint8_t* TakeScratch(size_t bytes);
  bool BatchIsFull() const;
  IoStatus WriteBatch();

  const Geometry geometry_;
  const std::unique_ptr<uint8_t[], Free> scratch_;  // tails of blocks whose segment is leased
  size_t scratch_used_ = 0;
  PieceWriter pieces_;
};

}  // namespace shardlog::engine
