// Lines as the entries of blocks: docs/reference/log-format.md, section 1, with producer 0, since
// one block has the lines of several.
#pragma once

#include <array>

#include "engine/aligned_memory.h"
#include "sink/double_buffered_writer.h"
#include "sink/line_encoder.h"

namespace shardlog::engine {

class BlockOutput final : public LineOutput {
 public:
  explicit BlockOutput(Overlap overlap);

  IoStatus Start(LogFile* log, const BlockContext& context, WriteProgress* progress) override;
  IoStatus Append(const record::LineBuffer& chunk) override;
  IoStatus Finish() override;
  void Cancel() override { writer_.Wait(); }
  record::Framing framing() const override { return record::Framing::kEntries; }
  Counts counts() const override { return Counts::kLines; }

 private:
  AlignedMemory& memory() { return memory_[turn_]; }
  void Open();
  IoStatus Put();
  void OnLanded(const BatchWriter& pieces, uint64_t lines);

  DoubleBufferedWriter writer_;
  BlockContext context_;
  WriteProgress* progress_ = nullptr;
  size_t alignment_ = 0;
  uint64_t blocks_ = 0;  // of the generation, written or put
  // One is filled while the other is written.
  std::array<AlignedMemory, 2> memory_;
  size_t turn_ = 0;
  // The block in memory(): bytes and number of its entries, and their CRC.
  size_t valid_ = 0;
  uint64_t entries_ = 0;
  uint32_t crc_ = 0;
};

}  // namespace shardlog::engine
