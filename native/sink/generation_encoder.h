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
#include "engine/sink.h"
#include "sink/double_buffered_writer.h"
#include "sink/log_file.h"
#include "sink/write_progress.h"

namespace shardlog::engine {

class LinesInLog;
class LineEncoder;

class GenerationEncoder {
 public:
  virtual ~GenerationEncoder() = default;

  // Appends to the log what of the segments is not there yet, and keeps *progress up as it goes.
  // After a failure, the next call with the same segments and progress goes on where it ended.
  // Lines that `in_log` (null: none) says the log has are left out.
  virtual IoStatus Write(LogFile* log, const BlockContext& context,
                         const std::vector<SealedSegment>& segments, WriteProgress* progress,
                         LinesInLog* in_log) = 0;
};

// The writer of records as lines in a file of the format `format`.
std::unique_ptr<LineEncoder> MakeLineEncoder(Format format, const Geometry& geometry,
                                             Overlap overlap);

// The writer for what `content` says entries are, in a file of the format `format`. With `overlap`,
// lines are written by a thread of its own while the next are rendered.
std::unique_ptr<GenerationEncoder> MakeGenerationEncoder(Content content, Format format,
                                                         const Geometry& geometry, Overlap overlap);

}  // namespace shardlog::engine
