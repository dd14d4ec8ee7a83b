// A file that is nothing but lines. Whole units of the device are written past the page cache; what
// is left of the last one goes through it, so that the file ends where its text ends and `tail -f`
// sees each line as soon as it is written.
#pragma once

#include <array>

#include "engine/aligned_memory.h"
#include "engine/overlapped_writer.h"
#include "engine/record_writer.h"

namespace shardlog::engine {

class TextLines final : public LineFile {
 public:
  explicit TextLines(Overlap overlap) : writer_(overlap) {}

  IoStatus Start(io::File* file, uint64_t base, const BlockContext& context) override;
  IoStatus Append(const record::LineBuffer& chunk) override;
  IoStatus Finish() override;
  void Abandon() override { writer_.Wait(); }
  void EndThread() override { writer_.EndThread(); }
  uint64_t blocks() const override { return 0; }
  uint64_t end() const override { return writer_.offset() + rest_; }
  record::Framing framing() const override { return record::Framing::kBackToBack; }
  size_t preamble() const override { return 0; }

 private:
  AlignedMemory& memory() { return memory_[turn_]; }

  OverlappedWriter writer_;
  // One is filled while the other is written.
  std::array<AlignedMemory, 2> memory_;
  size_t turn_ = 0;
  size_t used_ = 0;  // bytes of memory(), the next ones of the file
  size_t most_ = 0;  // of them
  size_t rest_ = 0;  // bytes that Finish wrote behind the last whole unit
};

}  // namespace shardlog::engine
