// A file that is nothing but lines. Whole units of the device are written past the page cache; what
// is left of the last one goes through it, so that the file ends where its text ends and `tail -f`
// sees each line as soon as it is written.
#pragma once

#include "engine/aligned_memory.h"
#include "engine/record_writer.h"

namespace shardlog::engine {

class TextLines final : public LineFile {
 public:
  IoStatus Start(io::File* file, uint64_t base, const BlockContext& context) override;
  IoStatus Append(const record::LineBuffer& chunk) override;
  IoStatus Finish() override;
  uint64_t blocks() const override { return 0; }
  uint64_t end() const override { return pieces_.offset() + held_; }
  record::Framing framing() const override { return record::Framing::kBackToBack; }
  size_t preamble() const override { return 0; }

 private:
  PieceWriter pieces_;
  AlignedMemory memory_;
  size_t held_ = 0;  // bytes in memory_, behind pieces_.offset() in the file
};

}  // namespace shardlog::engine
