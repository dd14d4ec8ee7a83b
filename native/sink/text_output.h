// A file that is nothing but lines. They are appended so that each call of the kernel ends at a
// line end: past the page cache where a line end and a unit of the device coincide, which with
// lines of some hundred bytes is so every few hundred kilobytes, and through it up to there.
#pragma once

#include <array>

#include "engine/aligned_memory.h"
#include "sink/double_buffered_writer.h"
#include "sink/line_encoder.h"

namespace shardlog::engine {

class TextOutput final : public LineOutput {
 public:
  explicit TextOutput(Overlap overlap);

  IoStatus Start(LogFile* log, const BlockContext& context, WriteProgress* progress) override;
  IoStatus Append(const record::LineBuffer& chunk) override;
  IoStatus Finish() override;
  void Cancel() override { writer_.Wait(); }
  record::Framing framing() const override { return record::Framing::kBackToBack; }
  Counts counts() const override { return Counts::kBytes; }

 private:
  AlignedMemory& memory() { return memory_[turn_]; }
  IoStatus PutUpTo(size_t cut);
  void OnLanded(const BatchWriter& pieces, uint64_t lines);

  DoubleBufferedWriter writer_;
  WriteProgress* progress_ = nullptr;
  // One is filled while the other is written.
  std::array<AlignedMemory, 2> memory_;
  size_t turn_ = 0;
  // Of memory(): lines from where memory is to the device what the log's end is, up to used_.
  size_t start_ = 0;
  size_t used_ = 0;
  uint64_t lines_ = 0;
  uint64_t offset_ = 0;  // of the log, where they begin, if nobody else appends
};

}  // namespace shardlog::engine
