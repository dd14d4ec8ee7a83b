// Writes the records of a generation as lines of text, in the order of their times: as entries of
// blocks, or, where the file is nothing but text, back to back.
//
// Thread: the flusher, or recovery. Not shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "record/line_buffer.h"
#include "record/merge.h"
#include "sink/generation_encoder.h"

namespace shardlog::engine {

// Where lines go, chunk by chunk.
class LineOutput {
 public:
  virtual ~LineOutput() = default;
  // Goes on with the generation of `context` behind what *progress says is in the log. Both outlive
  // Finish or Abandon.
  virtual IoStatus Start(LogFile* log, const BlockContext& context, WriteProgress* progress) = 0;
  // May keep lines back, which it copies, and return the failure of earlier ones. Throws
  // std::bad_alloc.
  virtual IoStatus Append(const record::LineBuffer& chunk) = 0;
  // What Append has kept back is written too.
  virtual IoStatus Finish() = 0;
  // In place of Finish, after a failure: nothing is being written any more when it returns.
  virtual void Cancel() {}
  virtual record::Framing framing() const = 0;
  // What WriteProgress::done() counts: bytes, or lines; nothing, if the lines come from the first
  // one each time.
  enum class Counts { kBytes, kLines, kNothing };
  virtual Counts counts() const = 0;
};

class LineEncoder final : public GenerationEncoder {
 public:
  LineEncoder(const Geometry& geometry, std::unique_ptr<LineOutput> lines);

  IoStatus Write(LogFile* log, const BlockContext& context,
                 const std::vector<SealedSegment>& segments, WriteProgress* progress,
                 LinesInLog* in_log) override;

  // Makes the lines of the segments, and shows those behind `done`, which is counted as
  // WriteProgress::done() is. Returns how many records could not be made out. Throws
  // std::bad_alloc.
  using Visitor = std::function<void(std::string_view line)>;
  uint64_t Visit(const std::vector<SealedSegment>& segments, uint64_t done, const Visitor& visitor);

 private:
  struct Producer {
    uint32_t id;
    std::vector<record::SegmentView> segments;
  };

  IoStatus WriteLines(LogFile* log, const BlockContext& context, WriteProgress* progress,
                      LinesInLog* in_log);
  const record::LineBuffer* Rest(uint64_t* position, uint64_t done, LinesInLog* in_log);
  void StartMerging(const std::vector<SealedSegment>& segments);
  void CountEntries(const std::vector<SealedSegment>& segments, BlockTotals* totals) const;

  const Geometry geometry_;
  const std::unique_ptr<LineOutput> lines_;
  record::LineMerger merger_;
  record::LineBuffer chunk_;
  record::LineBuffer rest_;  // of a chunk of which some is in the log
  std::vector<Producer> producers_;
  std::vector<record::ProducerSegments> views_;
};

}  // namespace shardlog::engine
