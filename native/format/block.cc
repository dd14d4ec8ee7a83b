#include "format/block.h"

#include "format/crc32c.h"

namespace shardlog::format {

void EncodeTrailer(uint8_t* to, const Trailer& trailer, uint32_t block_crc) {
  Store(to, kTrailerMagic);
  Store(to + 4, kTrailerVersion);
  Store(to + 6, trailer.flags);
  Store(to + 8, trailer.stream);
  Store(to + 16, trailer.sequence);
  Store(to + 24, trailer.first_time);
  Store(to + 32, trailer.last_time);
  Store(to + 40, trailer.entries);
  Store(to + 44, trailer.generation);
  Store(to + 48, trailer.segment);
  Store(to + 52, trailer.producer);
  Store(to + 56, trailer.length);
  Store(to + kTrailerCrcOffset, Crc32c(to, kTrailerCrcOffset, block_crc));
}

void BuildTail(uint8_t* tail, uint64_t tail_start, uint64_t tail_end, uint64_t valid,
               Trailer trailer, uint32_t block_crc) {
  const uint64_t data_end = kBlockHeaderBytes + valid;
  std::memset(tail + (data_end - tail_start), 0, tail_end - data_end);
  const uint64_t stride = Stride(valid);
  const uint64_t extent = BlockExtent(valid);
  if (extent != stride) {
    trailer.flags |= kFlagCarried;
    EncodeHeader(tail + (stride - tail_start), {static_cast<uint32_t>(kSectorBytes), 0});
  }
  trailer.length = static_cast<uint32_t>(extent);
  EncodeTrailer(tail + (extent - kTrailerBytes - tail_start), trailer, block_crc);
}

bool DecodeTrailer(const uint8_t* from, Trailer* trailer) {
  if (Load<uint32_t>(from) != kTrailerMagic) return false;
  if (Load<uint16_t>(from + 4) != kTrailerVersion) return false;
  trailer->flags = Load<uint16_t>(from + 6);
  trailer->stream = Load<uint64_t>(from + 8);
  trailer->sequence = Load<uint64_t>(from + 16);
  trailer->first_time = Load<uint64_t>(from + 24);
  trailer->last_time = Load<uint64_t>(from + 32);
  trailer->entries = Load<uint32_t>(from + 40);
  trailer->generation = Load<uint32_t>(from + 44);
  trailer->segment = Load<uint32_t>(from + 48);
  trailer->producer = Load<uint32_t>(from + 52);
  trailer->length = Load<uint32_t>(from + 56);
  return true;
}

bool TrailerMatches(const uint8_t* trailer, uint32_t block_crc) {
  return Load<uint32_t>(trailer + kTrailerCrcOffset) ==
         Crc32c(trailer, kTrailerCrcOffset, block_crc);
}

bool DecodeWholeBlock(const uint8_t* block, size_t size, Trailer* trailer) {
  if (size < kSectorBytes) return false;
  const BlockHeader header = DecodeHeader(block);
  if (!header.IsPlausible() || BlockExtent(header.valid) != size) return false;
  const uint8_t* raw = block + size - kTrailerBytes;
  return DecodeTrailer(raw, trailer) &&
         TrailerMatches(raw, Crc32c(block, kBlockHeaderBytes + header.valid));
}

WholeEntries FindWholeEntries(const uint8_t* entries, size_t available) {
  WholeEntries whole;
  while (available - whole.bytes > kEntryPrefixBytes) {
    const uint32_t length = Load<uint32_t>(entries + whole.bytes);
    if (length == 0 || length > available - whole.bytes - kEntryPrefixBytes) break;
    whole.bytes += kEntryPrefixBytes + length;
    whole.entries++;
  }
  return whole;
}

}  // namespace shardlog::format
