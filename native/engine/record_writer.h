// Writes the records of a generation as lines of text, in the order of their times: as entries of
// blocks, or, where the file is nothing but text, back to back.
//
// Thread: the flusher, or recovery. Not shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/set_writer.h"
#include "record/line_buffer.h"
#include "record/merge.h"

namespace shardlog::engine {

// Where lines go, chunk by chunk.
class LineFile {
 public:
  virtual ~LineFile() = default;
  // `base`: where the file ends.
  virtual IoStatus Start(io::File* file, uint64_t base, const BlockContext& context) = 0;
  // May keep lines back, which it copies, and return the failure of earlier ones. Throws
  // std::bad_alloc.
  virtual IoStatus Append(const record::LineBuffer& chunk) = 0;
  // What Append has kept back is written too.
  virtual IoStatus Finish() = 0;
  // In place of Finish, after a failure: nothing is being written any more when it returns.
  virtual void Abandon() {}
  // Ends the thread that it may have started.
  virtual void EndThread() {}
  virtual uint64_t blocks() const = 0;
  // After Finish: file offset behind what was written.
  virtual uint64_t end() const = 0;
  virtual record::Framing framing() const = 0;
  // Bytes before the first line.
  virtual size_t preamble() const = 0;
};

class RecordWriter final : public SetWriter {
 public:
  RecordWriter(const Geometry& geometry, std::unique_ptr<LineFile> lines);

  uint64_t MostBytes(const std::vector<SealedSegment>& segments, size_t alignment) const override;
  IoStatus Write(io::File* file, uint64_t base, const BlockContext& context,
                 const std::vector<SealedSegment>& segments, BlockTotals* totals) override;
  bool MayHaveWritten(const uint8_t* there, size_t size,
                      const std::vector<SealedSegment>& segments) override;
  void EndThread() override { lines_->EndThread(); }

 private:
  struct Producer {
    uint32_t id;
    std::vector<record::SegmentView> segments;
  };

  IoStatus WriteLines(io::File* file, uint64_t base, const BlockContext& context,
                      BlockTotals* totals);
  void StartMerging(const std::vector<SealedSegment>& segments);
  void CountEntries(const std::vector<SealedSegment>& segments, BlockTotals* totals) const;

  const Geometry geometry_;
  const std::unique_ptr<LineFile> lines_;
  record::LineMerger merger_;
  record::LineBuffer chunk_;
  std::vector<Producer> producers_;
  std::vector<record::ProducerSegments> views_;
};

}  // namespace shardlog::engine
