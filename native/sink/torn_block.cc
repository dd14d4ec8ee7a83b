#include "sink/torn_block.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "engine/geometry.h"
#include "format/crc32c.h"
#include "sink/append_point.h"
#include "sink/holes.h"

namespace shardlog::engine {
namespace {

constexpr size_t kScanBytes = 1u << 20;

int OverwriteFully(io::File* file, const void* from, size_t size, uint64_t offset) {
  const auto* at = static_cast<const uint8_t*>(from);
  while (size > 0) {
    const ssize_t put = file->Overwrite(at, size, offset);
    if (put == -EINTR) continue;
    if (put <= 0) return put < 0 ? static_cast<int>(-put) : ENOSPC;
    at += put;
    offset += static_cast<uint64_t>(put);
    size -= static_cast<size_t>(put);
  }
  return 0;
}

// Reads block headers in ascending order: ahead where they lie close together, which in text is
// every sector, and a page where blocks are skipped.
class HeaderReader {
 public:
  HeaderReader(io::File* file, uint64_t size) : file_(file), size_(size), bytes_(kScanBytes) {}

  // The header at `at`, a multiple of the sector with eight bytes of the file behind it. 0 or a
  // positive errno.
  int Read(uint64_t at, format::BlockHeader* header) {
    if (at < start_ || at + format::kBlockHeaderBytes > end_) {
      const bool goes_on = at == end_;
      const uint64_t wanted = goes_on ? kScanBytes : kPageBytes;
      start_ = at;
      end_ = std::min(at + wanted, size_);
      const int error = ReadFully(file_, bytes_.data(), end_ - start_, start_);
      if (error != 0) return error;
    }
    *header = format::DecodeHeader(bytes_.data() + (at - start_));
    return 0;
  }

 private:
  io::File* const file_;
  const uint64_t size_;
  std::vector<uint8_t> bytes_;
  uint64_t start_ = 0;  // what of the file is in bytes_
  uint64_t end_ = 0;
};

// Whether a block of which no entry is whole goes on behind its header as blocks do.
bool BeginsLikeAnEntry(const std::vector<uint8_t>& block, uint32_t valid) {
  if (block.size() < format::kBlockHeaderBytes + format::kEntryPrefixBytes) return true;
  const uint32_t length = format::Load<uint32_t>(block.data() + format::kBlockHeaderBytes);
  return length != 0 && uint64_t{length} + format::kEntryPrefixBytes <= valid;
}

// Makes the entries of a block that had none, a trailer: the block is sound then.
void AddTrailer(std::vector<uint8_t>* block, const format::WholeEntries& whole,
                format::Trailer trailer) {
  const size_t extent = format::BlockExtent(whole.bytes);
  if (block->size() < extent) block->resize(extent);
  const uint32_t crc = format::Crc32c(block->data(), format::kBlockHeaderBytes + whole.bytes);
  trailer.entries = static_cast<uint32_t>(whole.entries);
  format::BuildTail(block->data(), 0, extent, whole.bytes, trailer, crc);
}

// Whether a block goes on behind its entries as ours do, as far as the file goes: with zeroes, and
// the beginning of a trailer. Somebody else may have appended to it.
bool GoesOnLikeOurs(const std::vector<uint8_t>& block, uint32_t valid) {
  uint8_t beginning[format::kTrailerBytes];
  format::EncodeTrailer(beginning, {}, 0);
  constexpr size_t kTold = 6;  // magic and version
  const size_t trailer = format::BlockExtent(valid) - format::kTrailerBytes;
  for (size_t i = format::kBlockHeaderBytes + valid; i < block.size(); i++) {
    const bool fits =
        i < trailer ? block[i] == 0 : i >= trailer + kTold || block[i] == beginning[i - trailer];
    if (!fits) return false;
  }
  return true;
}

// What comes behind the whole entries of a torn block, as far as the file goes.
enum class Behind { kOurs, kNothing, kForeign };

Behind LookBehind(const std::vector<uint8_t>& block, uint32_t valid, size_t whole) {
  const size_t at = format::kBlockHeaderBytes + whole;
  const size_t there = block.size() - at;
  if (there == 0) return Behind::kNothing;
  const auto sector_end = static_cast<size_t>(format::AlignUp(at, format::kSectorBytes));
  const auto begin = block.begin() + static_cast<ptrdiff_t>(at);
  const auto end = block.begin() + static_cast<ptrdiff_t>(std::min(sector_end, block.size()));
  // As an earlier repair has left it that did not come to an end.
  const bool zeroed = begin != end && std::all_of(begin, end, [](uint8_t b) { return b == 0; });
  if (whole == valid) {
    return zeroed || GoesOnLikeOurs(block, valid) ? Behind::kOurs : Behind::kForeign;
  }
  if (zeroed) return Behind::kOurs;
  if (there < format::kEntryPrefixBytes) return Behind::kNothing;
  // Text, taken for a length, is larger than any block but the largest.
  const uint64_t length = format::Load<uint32_t>(block.data() + at);
  const bool fits = length != 0 && whole + format::kEntryPrefixBytes + length <= valid;
  return fits ? Behind::kOurs : Behind::kForeign;
}

// Where the last of `whole` bytes of entries begins, from the block's start.
size_t LastEntry(const uint8_t* entries, size_t whole) {
  size_t last = 0;
  for (size_t at = 0; at < whole;) {
    last = at;
    at += format::kEntryPrefixBytes + format::Load<uint32_t>(entries + at);
  }
  return format::kBlockHeaderBytes + last;
}

// Bytes of entries that are ours for certain, false: the block is not to be cut. What follows an
// entry vouches for it: somebody else's text, which may have completed a torn one, goes on as no
// block does.
bool EntriesOfOurs(const std::vector<uint8_t>& block, uint32_t valid, size_t* ours) {
  const uint8_t* entries = block.data() + format::kBlockHeaderBytes;
  const size_t there = std::min<size_t>(block.size() - format::kBlockHeaderBytes, valid);
  const size_t whole = format::FindWholeEntries(entries, there).bytes;
  *ours = whole;
  if (whole == 0) return BeginsLikeAnEntry(block, valid);
  const Behind behind = LookBehind(block, valid, whole);
  if (behind == Behind::kOurs) return true;
  const size_t last = LastEntry(entries, whole);
  const size_t end = format::kBlockHeaderBytes + whole;
  const bool in_one_sector = last / format::kSectorBytes == (end - 1) / format::kSectorBytes;
  if (behind == Behind::kNothing) {
    if (!in_one_sector) *ours = last - format::kBlockHeaderBytes;
    return true;
  }
  if (in_one_sector && whole == valid) return false;  // nothing but padding is missing
  if (in_one_sector && end % format::kSectorBytes == 0) return true;
  *ours = FittingEntries(entries, format::AlignDown(last, format::kSectorBytes));
  return true;
}

}  // namespace

IoStatus ShortenBlock(io::File* file, uint64_t at, const format::BlockHeader& header,
                      size_t valid) {
  uint8_t shorter[format::kBlockHeaderBytes] = {};
  if (valid != 0) format::EncodeHeader(shorter, {header.capacity, static_cast<uint32_t>(valid)});
  const int error = OverwriteFully(file, shorter, sizeof shorter, at);
  return {error, "pwrite"};
}

IoStatus FindTornBlock(io::File* file, uint64_t from, uint64_t size, TornBlock* torn) {
  *torn = {};
  HeaderReader headers(file, size);
  Holes holes(file);
  uint64_t at = from;
  while (at + format::kBlockHeaderBytes <= size) {
    format::BlockHeader header;
    const int error = headers.Read(at, &header);
    if (error != 0) return {error, "pread"};
    if (header.IsFill()) {
      at = holes.Past(at);
      continue;
    }
    // Memory comes in whole sectors, which text that looks like a header does not: no block has
    // such a capacity.
    const bool foreign =
        header.capacity % format::kSectorBytes != 0 || header.capacity > kMaxShardBytes;
    if (foreign || !header.IsPlausible()) {
      at += format::kSectorBytes;
      continue;
    }
    const uint64_t next = at + format::Stride(header.valid);
    if (next > size) {
      *torn = {true, at, header};
      return {};
    }
    at = next;
  }
  return {};
}

IoStatus CompleteBlock(io::File* file, const TornBlock& torn, uint64_t size,
                       const format::Trailer& identity) {
  std::vector<uint8_t> block(size - torn.at);
  int error = ReadFully(file, block.data(), block.size(), torn.at);
  if (error != 0) return {error, "pread"};
  const format::WholeEntries whole = format::FindWholeEntries(
      block.data() + format::kBlockHeaderBytes, block.size() - format::kBlockHeaderBytes);
  if (whole.bytes == 0 && !BeginsLikeAnEntry(block, torn.header.valid)) return {};
  // Nothing but padding is missing, and that comes by itself.
  if (whole.bytes == torn.header.valid && !GoesOnLikeOurs(block, torn.header.valid)) return {};
  const size_t data_end = format::kBlockHeaderBytes + whole.bytes;
  std::fill(block.begin() + static_cast<ptrdiff_t>(data_end), block.end(), uint8_t{0});
  if (whole.bytes != 0) {
    format::EncodeHeader(block.data(), {torn.header.capacity, static_cast<uint32_t>(whole.bytes)});
    AddTrailer(&block, whole, identity);
  }
  // The header last: until then the block is torn, and is repaired again.
  const size_t there = size - torn.at;
  error = OverwriteFully(file, block.data() + data_end, there - data_end, torn.at + data_end);
  if (error != 0) return {error, "pwrite"};
  uint64_t end = size;
  const IoStatus status = AppendFully(file, block.data() + there, block.size() - there, &end);
  if (!status.ok()) return status;
  return ShortenBlock(file, torn.at, torn.header, whole.bytes);
}

IoStatus CutToOurs(io::File* file, const TornBlock& torn, uint64_t size, uint64_t* next) {
  *next = size;
  const uint64_t end = std::min(size, torn.at + format::BlockExtent(torn.header.valid));
  std::vector<uint8_t> block(end - torn.at);
  int error = ReadFully(file, block.data(), block.size(), torn.at);
  if (error != 0) return {error, "pread"};
  size_t ours = 0;
  if (!EntriesOfOurs(block, torn.header.valid, &ours)) return {};
  *next = torn.at + format::Stride(ours);
  const size_t data_end = format::kBlockHeaderBytes + ours;
  const std::vector<uint8_t> padding(std::min(*next, size) - torn.at - data_end);
  // The header last: until then the block is torn, and is cut again.
  error = OverwriteFully(file, padding.data(), padding.size(), torn.at + data_end);
  if (error != 0) return {error, "pwrite"};
  return ShortenBlock(file, torn.at, torn.header, ours);
}

size_t FittingEntries(const uint8_t* entries, size_t bytes) {
  if (bytes < format::kBlockHeaderBytes) return 0;
  size_t fitting = 0;
  const size_t whole = format::FindWholeEntries(entries, bytes - format::kBlockHeaderBytes).bytes;
  for (size_t at = 0; at < whole;) {
    at += format::kEntryPrefixBytes + format::Load<uint32_t>(entries + at);
    if (format::Stride(at) <= bytes) fitting = at;
  }
  return fitting;
}

}  // namespace shardlog::engine
