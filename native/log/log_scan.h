// Looks through what a log has behind an offset, block by block or line by line, in bounded memory.
//
// Thread: recovery.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "engine/io_status.h"
#include "format/block.h"
#include "io/file.h"

namespace shardlog::engine {

struct ScannedBlock {
  enum class Kind {
    kSound,  // of the stream, with a trailer that vouches for it
    kCut,    // without a trailer, and nothing but whole entries: a torn block that was cut to them
    kBroken  // it claims more than the file has, or holds something else; its bytes are not read
  };
  Kind kind;
  uint64_t at;
  format::BlockHeader header;
  std::vector<uint8_t> bytes;  // its header included
  format::Trailer trailer;     // of a sound one
};

// Shows what begins like a block in [from, to).
using BlockVisitor = std::function<void(const ScannedBlock& block)>;
IoStatus ScanBlocks(io::File* file, uint64_t from, uint64_t to, uint64_t stream,
                    const BlockVisitor& visitor);

// Shows each line in [from, to) that has at most `longest` bytes, its end included. *last_line is
// where a last line begins that has no end; `to` if there is none.
using LineVisitor = std::function<void(std::string_view line)>;
IoStatus ScanLines(io::File* file, uint64_t from, uint64_t to, size_t longest, uint64_t* last_line,
                   const LineVisitor& visitor);

}  // namespace shardlog::engine
