#include "sink/text_output.h"

#include <algorithm>

#include "sink/line_count.h"
#include "sink/non_temporal_copy.h"

namespace shardlog::engine {
namespace {

// Memory beyond this is given back; less than one outsized line would otherwise pin.
constexpr size_t kRetainedBytes = size_t{4} << 20;

}  // namespace

TextOutput::TextOutput(Overlap overlap)
    : writer_(overlap, BatchWriter::Unit::kLines,
              [this](const BatchWriter& pieces, uint64_t lines) { OnLanded(pieces, lines); }) {}

IoStatus TextOutput::Start(LogFile* log, const BlockContext&, WriteProgress* progress) {
  progress_ = progress;
  writer_.Start(log, progress->torn());
  // The line that is torn begins before the log's end.
  offset_ = log->end() - std::min<uint64_t>(progress->torn(), log->end());
  start_ = used_ = offset_ % kPageBytes;
  lines_ = 0;
  return {};
}

IoStatus TextOutput::Append(const record::LineBuffer& chunk) {
  memory().Reserve(used_ + chunk.size(), used_);
  CopyNonTemporal(memory().data() + used_, chunk.data(), chunk.size());
  used_ += chunk.size();
  lines_ += chunk.lines();
  if (used_ - start_ < kWriteBytes) return {};
  const size_t cut =
      writer_.pieces().BestCut(memory().data() + start_, used_ - start_, offset_) + start_;
  return cut == start_ ? IoStatus{} : PutUpTo(cut);
}

// Has the lines before `cut` written, and goes on with the others in the other memory.
IoStatus TextOutput::PutUpTo(size_t cut) {
  uint8_t* const behind = memory().data() + cut;
  const size_t kept = used_ - cut;
  const uint64_t kept_lines = CountLines(behind, kept);
  const IoStatus status =
      writer_.Put(memory().data() + start_, cut - start_, lines_ - std::min(lines_, kept_lines));
  if (!status.ok()) return status;
  writer_.Submit();
  offset_ += cut - start_;
  turn_ = 1 - turn_;
  start_ = offset_ % kPageBytes;
  used_ = start_ + kept;
  lines_ = kept_lines;
  memory().Reserve(used_, 0);
  CopyNonTemporal(memory().data() + start_, reinterpret_cast<const char*>(behind), kept);
  return {};
}

IoStatus TextOutput::Finish() {
  IoStatus status;
  if (used_ != start_) status = writer_.Put(memory().data() + start_, used_ - start_, lines_);
  if (status.ok()) status = writer_.Finish();
  if (!status.ok()) return status;
  for (AlignedMemory& memory : memory_) memory.Trim(kRetainedBytes);
  return {};
}

void TextOutput::OnLanded(const BatchWriter& pieces, uint64_t lines) {
  BlockTotals& totals = progress_->totals();
  const bool complete = pieces.torn() == 0 && pieces.whole() == pieces.size();
  totals.entries += complete ? lines : CountLines(pieces.data(), pieces.whole());
  totals.bytes += pieces.whole();
  totals.payload += pieces.whole();
  progress_->Advance(pieces.log(), pieces.whole(), 0, pieces.torn());
}

}  // namespace shardlog::engine
