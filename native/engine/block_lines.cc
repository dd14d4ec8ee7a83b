#include "engine/block_lines.h"

#include <cstring>

#include "format/block.h"
#include "format/crc32c.h"

namespace shardlog::engine {

IoStatus BlockLines::Start(io::File* file, uint64_t base, const BlockContext& context) {
  pieces_.Start(file, base);
  context_ = context;
  blocks_ = 0;
  return {};
}

IoStatus BlockLines::Append(const record::LineBuffer& chunk) {
  const uint64_t valid = chunk.size();
  const size_t end = format::AlignUp(format::BlockExtent(valid), pieces_.alignment());
  memory_.Reserve(end, 0);
  uint8_t* block = memory_.data();
  const auto capacity = static_cast<uint32_t>(format::Stride(valid));
  format::EncodeHeader(block, {capacity, static_cast<uint32_t>(valid)});
  std::memcpy(block + format::kBlockHeaderBytes, chunk.data(), valid);
  format::Trailer trailer;
  trailer.flags = context_.flags;
  trailer.stream = context_.stream;
  trailer.sequence = context_.sequence + blocks_;
  trailer.first_time = context_.first_time;
  trailer.last_time = context_.sealed_time;
  trailer.entries = static_cast<uint32_t>(chunk.lines());
  trailer.generation = static_cast<uint32_t>(context_.generation);
  trailer.segment = static_cast<uint32_t>(blocks_);
  const uint32_t crc = format::Crc32c(block, format::kBlockHeaderBytes + valid);
  format::BuildTail(block, 0, end, valid, trailer, crc);
  pieces_.Add(block, end);
  const IoStatus status = pieces_.Write();
  if (status.ok()) blocks_++;
  return status;
}

}  // namespace shardlog::engine
