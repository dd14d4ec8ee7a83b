// The beginning of a block that a kill in the middle of a write has left at the end of a log.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/io_status.h"
#include "format/block.h"
#include "io/file.h"

namespace shardlog::engine {

// A block that claims more bytes than the file has.
struct TornBlock {
  bool found = false;
  uint64_t at = 0;
  format::BlockHeader header;
};

// Looks for it from `from` on, an offset at which a block begins, or would.
IoStatus FindTornBlock(io::File* file, uint64_t from, uint64_t size, TornBlock* torn);

// Makes a sound block, with this trailer, of the whole entries of a torn one that is ours up to the
// end of the file, which has `size` bytes.
IoStatus CompleteBlock(io::File* file, const TornBlock& torn, uint64_t size,
                       const format::Trailer& identity);

// Cuts a torn block to those of its entries that are ours for certain; to none, and it becomes
// fill. Nobody knows where our bytes end: a kill breaks a write off between two sectors, and what
// another program has appended since begins there. So what lies behind the sector in which those
// entries end stays as it is, as bytes of no block. *next: where it begins; `size`, and nothing is
// done, if the block is none of ours.
IoStatus CutToOurs(io::File* file, const TornBlock& torn, uint64_t size, uint64_t* next);

// Cuts a block that is torn, or in which somebody else's bytes lie, to its first `valid` bytes of
// entries by its header alone; to none: it becomes fill.
IoStatus ShortenBlock(io::File* file, uint64_t at, const format::BlockHeader& header, size_t valid);

// Bytes of the most entries of a block, of which only the first `bytes` bytes are as we wrote them,
// that leave room for their padding in these: bytes of somebody else in the place of the trailer
// would make it a bad one.
size_t FittingEntries(const uint8_t* entries, size_t bytes);

}  // namespace shardlog::engine
