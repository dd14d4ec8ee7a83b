// A file that is nothing but lines. Whole units of the device are written past the page cache; what
// is left of the last one goes through it, so that the file ends where its text ends and `tail -f`
// sees each line as soon as it is written.
#pragma once

#include "engine/aligned_memory.h"
#include "engine/overlapped_writer.h"
#include "engine/record_writer.h"

namespace shardlog::engine {

class TextLines final : public LineFile {
 public:
  explicit TextLines(Overlap overlap) : writer_(overlap) {}

  IoStatus Start(io::File* file, uint64_t base, const BlockContext& context) override;
  void Begin(record::LineBuffer* chunk) override;
  IoStatus Append(record::LineBuffer* chunk) override;
  IoStatus Finish() override;
  void Abandon() override { writer_.Wait(); }
  void EndThread() override { writer_.EndThread(); }
  uint64_t blocks() const override { return 0; }
  uint64_t end() const override { return writer_.offset() + rest_bytes_; }
  record::Framing framing() const override { return record::Framing::kBackToBack; }
  size_t preamble() const override { return 0; }

 private:
  OverlappedWriter writer_;
  AlignedMemory first_;  // the unit that the file ends in
  // Text behind what was put, less than a unit: in first_ or the last chunk.
  const char* rest_ = nullptr;
  size_t rest_bytes_ = 0;
};

}  // namespace shardlog::engine
