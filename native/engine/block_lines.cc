#include "engine/block_lines.h"

#include "format/block.h"
#include "format/crc32c.h"

namespace shardlog::engine {

IoStatus BlockLines::Start(io::File* file, uint64_t base, const BlockContext& context) {
  writer_.Start(file, base);
  context_ = context;
  blocks_ = 0;
  return {};
}

void BlockLines::Begin(record::LineBuffer* chunk) {
  writer_.Proceed();
  chunk->Clear(format::kBlockHeaderBytes);
}

IoStatus BlockLines::Append(record::LineBuffer* chunk) {
  const uint64_t valid = chunk->size();
  const size_t end = format::AlignUp(format::BlockExtent(valid), writer_.alignment());
  chunk->ReserveBehind(end - format::kBlockHeaderBytes - valid);
  auto* const block = reinterpret_cast<uint8_t*>(chunk->head());
  const auto capacity = static_cast<uint32_t>(format::Stride(valid));
  format::EncodeHeader(block, {capacity, static_cast<uint32_t>(valid)});
  format::Trailer trailer;
  trailer.flags = context_.flags;
  trailer.stream = context_.stream;
  trailer.sequence = context_.sequence + blocks_;
  trailer.first_time = context_.first_time;
  trailer.last_time = context_.sealed_time;
  trailer.entries = static_cast<uint32_t>(chunk->lines());
  trailer.generation = static_cast<uint32_t>(context_.generation);
  trailer.segment = static_cast<uint32_t>(blocks_);
  const uint32_t crc = format::Crc32c(block, format::kBlockHeaderBytes + valid);
  format::BuildTail(block, 0, end, valid, trailer, crc);
  const IoStatus status = writer_.Put(chunk->head(), end);
  if (status.ok()) blocks_++;
  return status;
}

}  // namespace shardlog::engine
