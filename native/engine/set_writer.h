// What turns the sealed segments of a generation into bytes of the file. One implementation for
// each kind of content.
//
// Thread: the flusher, or recovery. Not shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/buffer_sets.h"
#include "engine/config.h"
#include "engine/overlapped_writer.h"
#include "engine/piece_writer.h"
#include "io/file.h"

namespace shardlog::engine {

// What identifies and dates what is written of one generation.
struct BlockContext {
  uint64_t generation = 0;
  uint64_t stream = 0;
  uint64_t sequence = 0;    // of the first block
  uint64_t first_time = 0;  // ns; no entry is older
  uint64_t sealed_time = 0;
  uint16_t flags = 0;
};

struct BlockTotals {
  uint64_t bytes = 0;  // everything the kernel accepted
  uint64_t payload = 0;
  uint64_t entries = 0;
  uint64_t blocks = 0;
  uint64_t damaged = 0;  // entries that could not be made out, or segments cut to what is whole
  std::vector<uint64_t> entries_of_shard;
};

class SetWriter {
 public:
  virtual ~SetWriter() = default;

  // The most bytes that Write may put into a file whose writes are aligned to `alignment`.
  virtual uint64_t MostBytes(const std::vector<SealedSegment>& segments,
                             size_t alignment) const = 0;

  // Writes the segments from file offset `base` on, which is where the file ends. On failure some
  // of it may be in the file; writing it again at the same base mends that, and *totals tells what
  // is whole.
  virtual IoStatus Write(io::File* file, uint64_t base, const BlockContext& context,
                         const std::vector<SealedSegment>& segments, BlockTotals* totals) = 0;

  // Whether an interrupted Write of these segments may have left the `size` bytes at `there`, which
  // are the first behind its base.
  virtual bool MayHaveWritten(const uint8_t* there, size_t size,
                              const std::vector<SealedSegment>& segments) = 0;

  // Ends the thread that Write may have started; the next Write starts it anew.
  virtual void EndThread() {}
};

// When the first of the segments was claimed; ns since the epoch.
uint64_t FirstTime(const std::vector<SealedSegment>& segments);

// The writer for what `content` says entries are, in a file of the form `form`. With `overlap`,
// lines are written by a thread of its own while the next are rendered.
std::unique_ptr<SetWriter> MakeSetWriter(Content content, Form form, const Geometry& geometry,
                                         Overlap overlap);

}  // namespace shardlog::engine
