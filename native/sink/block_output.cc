#include "sink/block_output.h"

#include "format/block.h"
#include "format/crc32c.h"
#include "sink/non_temporal_copy.h"

namespace shardlog::engine {
namespace {

// Memory beyond this is given back; less than one outsized line would otherwise pin.
constexpr size_t kRetainedBytes = size_t{4} << 20;

}  // namespace

BlockOutput::BlockOutput(Overlap overlap)
    : writer_(overlap, BatchWriter::Unit::kBlocks,
              [this](const BatchWriter& pieces, uint64_t lines) { OnLanded(pieces, lines); }) {}

IoStatus BlockOutput::Start(LogFile* log, const BlockContext& context, WriteProgress* progress) {
  writer_.Start(log, progress->torn());
  context_ = context;
  progress_ = progress;
  alignment_ = log->alignment();
  blocks_ = progress->blocks();
  Open();
  return {};
}

void BlockOutput::Open() {
  valid_ = 0;
  entries_ = 0;
  crc_ = 0;
}

IoStatus BlockOutput::Append(const record::LineBuffer& chunk) {
  const auto end = [&] {
    return format::AlignUp(format::BlockExtent(valid_ + chunk.size()), alignment_);
  };
  if (entries_ != 0 && end() > kWriteBytes) {
    const IoStatus status = Put();
    if (!status.ok()) return status;
    writer_.Submit();
    turn_ = 1 - turn_;
    Open();
  }
  const size_t used = format::kBlockHeaderBytes + valid_;
  memory().Reserve(end(), entries_ == 0 ? 0 : used);
  CopyNonTemporal(memory().data() + used, chunk.data(), chunk.size());
  crc_ = format::Crc32c(chunk.data(), chunk.size(), crc_);  // while it is in the caches
  valid_ += chunk.size();
  entries_ += chunk.lines();
  return {};
}

// Completes the block and has it written.
IoStatus BlockOutput::Put() {
  uint8_t* const block = memory().data();
  const auto capacity = static_cast<uint32_t>(format::Stride(valid_));
  format::EncodeHeader(block, {capacity, static_cast<uint32_t>(valid_)});
  format::Trailer trailer;
  trailer.flags = context_.flags;
  trailer.stream = context_.stream;
  trailer.sequence = context_.sequence + blocks_;
  trailer.first_time = context_.first_time;
  trailer.last_time = context_.sealed_time;
  trailer.entries = static_cast<uint32_t>(entries_);
  trailer.generation = static_cast<uint32_t>(context_.generation);
  trailer.segment = static_cast<uint32_t>(blocks_);
  const uint32_t header_crc = format::Crc32c(block, format::kBlockHeaderBytes);
  const size_t end = format::AlignUp(format::BlockExtent(valid_), alignment_);
  format::BuildTail(block, 0, end, valid_, trailer, format::JoinCrc32c(header_crc, crc_, valid_));
  const IoStatus status = writer_.Put(block, end, entries_);
  if (status.ok()) blocks_++;
  return status;
}

IoStatus BlockOutput::Finish() {
  IoStatus status;
  if (entries_ != 0) status = Put();
  if (status.ok()) status = writer_.Finish();
  if (!status.ok()) return status;
  for (AlignedMemory& memory : memory_) memory.Trim(kRetainedBytes);
  return {};
}

void BlockOutput::OnLanded(const BatchWriter& pieces, uint64_t lines) {
  const uint64_t blocks = pieces.whole_blocks();
  if (blocks != 0) {
    BlockTotals& totals = progress_->totals();
    const uint32_t valid = format::DecodeHeader(pieces.data()).valid;
    totals.entries += lines;
    totals.bytes += pieces.whole();
    totals.payload += valid - lines * format::kEntryPrefixBytes;
    totals.blocks++;
  }
  progress_->Advance(pieces.log(), blocks != 0 ? lines : 0, blocks, pieces.torn());
  if (pieces.torn() < format::kBlockHeaderBytes) return;
  const uint8_t* const block = pieces.data() + pieces.whole();
  progress_->SetTornBlock(block + format::kBlockHeaderBytes, format::DecodeHeader(block).valid,
                          nullptr);
}

}  // namespace shardlog::engine
