#include "log/log_scan.h"

#include <algorithm>
#include <string>

#include "engine/geometry.h"
#include "sink/append_point.h"
#include "sink/holes.h"

namespace shardlog::engine {
namespace {

constexpr size_t kWindowBytes = size_t{1} << 20;

using Kind = ScannedBlock::Kind;

// Whether eight bytes may be the header of a block: memory comes in whole sectors.
bool IsPossible(const format::BlockHeader& header) {
  return header.valid != 0 && header.IsPlausible() && header.capacity % format::kSectorBytes == 0 &&
         header.capacity <= kMaxShardBytes;
}

// What a block seems to be by what lies where its trailer would: bytes that look like headers shall
// cost little.
Kind LookAt(io::File* file, uint64_t at, uint64_t to, const format::BlockHeader& header) {
  if (at + format::Stride(header.valid) > to) return Kind::kBroken;
  uint8_t raw[format::kTrailerBytes];
  format::Trailer trailer;
  const uint64_t extent = format::BlockExtent(header.valid);
  const bool has_trailer = at + extent <= to &&
                           ReadFully(file, raw, sizeof raw, at + extent - sizeof raw) == 0 &&
                           format::DecodeTrailer(raw, &trailer) && trailer.length == extent;
  return has_trailer ? Kind::kSound : Kind::kCut;
}

// Fills in the block whose header is read. 0 or a positive errno.
int ReadBlock(io::File* file, uint64_t to, ScannedBlock* block) {
  const uint32_t valid = block->header.valid;
  block->bytes.clear();
  block->kind = LookAt(file, block->at, to, block->header);
  if (block->kind == Kind::kBroken) return 0;
  const bool sound = block->kind == Kind::kSound;
  block->bytes.resize(sound ? format::BlockExtent(valid) : format::Stride(valid));
  const int error = ReadFully(file, block->bytes.data(), block->bytes.size(), block->at);
  if (error != 0) return error;
  const bool holds =
      sound ? format::DecodeWholeBlock(block->bytes.data(), block->bytes.size(), &block->trailer)
            : format::FindWholeEntries(block->bytes.data() + format::kBlockHeaderBytes, valid)
                      .bytes == valid;
  if (!holds) block->kind = Kind::kBroken;
  return 0;
}

}  // namespace

IoStatus ScanBlocks(io::File* file, uint64_t from, uint64_t to, uint64_t stream,
                    const BlockVisitor& visitor) {
  ScannedBlock block{};
  block.at = format::AlignUp(from, format::kSectorBytes);
  Holes holes(file);
  while (block.at + format::kBlockHeaderBytes <= to) {
    uint8_t raw[format::kBlockHeaderBytes];
    int error = ReadFully(file, raw, sizeof raw, block.at);
    if (error != 0) return {error, "pread"};
    block.header = format::DecodeHeader(raw);
    uint64_t next = block.at + format::kSectorBytes;
    if (block.header.IsFill()) next = holes.Past(block.at);
    if (IsPossible(block.header)) {
      error = ReadBlock(file, to, &block);
      if (error != 0) return {error, "pread"};
      if (block.kind != Kind::kBroken) next = block.at + block.bytes.size();
      if (block.kind != Kind::kSound || block.trailer.stream == stream) visitor(block);
    }
    block.at = next;
  }
  return {};
}

IoStatus ScanLines(io::File* file, uint64_t from, uint64_t to, size_t longest, uint64_t* last_line,
                   const LineVisitor& visitor) {
  std::vector<char> window(kWindowBytes);
  std::string begun;  // of the line that a window ended in, while it may be of interest
  *last_line = from;
  for (uint64_t at = from; at < to;) {
    const size_t size = std::min<uint64_t>(window.size(), to - at);
    const int error = ReadFully(file, window.data(), size, at);
    if (error != 0) return {error, "pread"};
    std::string_view rest(window.data(), size);
    for (size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      const std::string_view line = rest.substr(0, end + 1);
      const uint64_t line_end = at + static_cast<uint64_t>(line.data() - window.data()) + end + 1;
      if (line_end - *last_line <= longest) {
        begun.append(line);
        visitor(begun);
      }
      begun.clear();
      *last_line = line_end;
      rest.remove_prefix(end + 1);
    }
    at += size;
    if (at - *last_line <= longest) begun.append(rest);
  }
  return {};
}

}  // namespace shardlog::engine
