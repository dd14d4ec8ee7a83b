// Lines as the entries of blocks: docs/log-format.md, section 1, with producer 0, since one block
// has the lines of several.
#pragma once

#include "engine/aligned_memory.h"
#include "engine/record_writer.h"

namespace shardlog::engine {

class BlockLines final : public LineFile {
 public:
  IoStatus Start(io::File* file, uint64_t base, const BlockContext& context) override;
  IoStatus Append(const record::LineBuffer& chunk) override;
  IoStatus Finish() override { return {}; }
  uint64_t blocks() const override { return blocks_; }
  uint64_t end() const override { return pieces_.offset(); }
  record::Framing framing() const override { return record::Framing::kEntries; }
  size_t preamble() const override { return format::kBlockHeaderBytes; }

 private:
  PieceWriter pieces_;
  AlignedMemory memory_;
  BlockContext context_;
  uint64_t blocks_ = 0;
};

}  // namespace shardlog::engine
