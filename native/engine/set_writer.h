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
#include "engine/log_file.h"
#include "engine/overlapped_writer.h"
#include "engine/write_progress.h"

namespace shardlog::engine {

class LinesInLog;
class RecordWriter;

// What identifies and dates what is written of one generation.
struct BlockContext {
  uint64_t generation = 0;
  uint64_t stream = 0;
  uint64_t sequence = 0;    // of the generation's first block
  uint64_t first_time = 0;  // ns; no entry is older
  uint64_t sealed_time = 0;
  uint16_t flags = 0;
};

class SetWriter {
 public:
  virtual ~SetWriter() = default;

  // Appends to the log what of the segments is not there yet, and keeps *progress up as it goes.
  // After a failure, the next call with the same segments and progress goes on where it ended.
  // Lines that `in_log` (null: none) says the log has are left out.
  virtual IoStatus Write(LogFile* log, const BlockContext& context,
                         const std::vector<SealedSegment>& segments, WriteProgress* progress,
                         LinesInLog* in_log) = 0;
};

// When the first of the segments was claimed; ns since the epoch.
uint64_t FirstTime(const std::vector<SealedSegment>& segments);

// The writer of records as lines in a file of the form `form`.
std::unique_ptr<RecordWriter> MakeRecordWriter(Form form, const Geometry& geometry,
                                               Overlap overlap);

// The writer for what `content` says entries are, in a file of the form `form`. With `overlap`,
// lines are written by a thread of its own while the next are rendered.
std::unique_ptr<SetWriter> MakeSetWriter(Content content, Form form, const Geometry& geometry,
                                         Overlap overlap);

}  // namespace shardlog::engine
