#include "sink/append_point.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "engine/geometry.h"
#include "format/block.h"
#include "format/crc32c.h"
#include "sink/holes.h"

namespace shardlog::engine {
namespace {

constexpr size_t kScanBytes = 1u << 20;
constexpr uint64_t kMaxBlock = kMaxShardBytes + format::kSectorBytes;  // with its carrier

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

// Whether a block that checks ends at `end`. False also where the file cannot be read.
bool SoundBlockEndsAt(io::File* file, uint64_t end) {
  uint8_t raw[format::kTrailerBytes];
  format::Trailer trailer;
  if (end < format::kSectorBytes || end % format::kSectorBytes != 0 ||
      ReadFully(file, raw, sizeof raw, end - sizeof raw) != 0)
    return false;
  if (!format::DecodeTrailer(raw, &trailer)) return false;
  if (trailer.length > std::min(end, kMaxBlock)) return false;
  std::vector<uint8_t> block(trailer.length);
  return ReadFully(file, block.data(), block.size(), end - block.size()) == 0 &&
         format::DecodeWholeBlock(block.data(), block.size(), &trailer);
}

// End of the last byte before `size` that is not in an all-zero sector, rounded up to a sector.
// Looks back over one scan at the most: more fill than that does not come from us.
uint64_t EndWithoutFill(io::File* file, uint64_t size) {
  uint64_t end = format::AlignDown(size, format::kSectorBytes);
  if (end != size) return size;
  static constexpr uint8_t kZeroes[format::kSectorBytes] = {};
  uint8_t sector[format::kSectorBytes];
  const uint64_t floor = end > kScanBytes ? end - kScanBytes : 0;
  while (end > floor) {
    if (ReadFully(file, sector, sizeof sector, end - sizeof sector) != 0) return size;
    if (std::memcmp(sector, kZeroes, sizeof sector) != 0) break;
    end -= sizeof sector;
  }
  return end;
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

// Cuts a torn block to the entries that are whole and zeroes what is behind them; all of it, if
// none is: left as it is, the block would swallow those that are appended behind it. Makes a sound
// block of it if `identity` is not null.
IoStatus RepairTornBlock(io::File* file, const TornBlock& torn, uint64_t size,
                         const format::Trailer* identity) {
  std::vector<uint8_t> block(size - torn.at);
  int error = ReadFully(file, block.data(), block.size(), torn.at);
  if (error != 0) return {error, "pread"};
  const format::WholeEntries whole = format::FindWholeEntries(
      block.data() + format::kBlockHeaderBytes, block.size() - format::kBlockHeaderBytes);
  if (whole.bytes == 0 && !BeginsLikeAnEntry(block, torn.header.valid)) {
    return {};  // foreign bytes that happen to look like a header
  }
  // Nothing but padding is missing, and that comes by itself.
  if (whole.bytes == torn.header.valid && !GoesOnLikeOurs(block, torn.header.valid)) return {};
  const size_t data_end = format::kBlockHeaderBytes + whole.bytes;
  uint8_t header[format::kBlockHeaderBytes] = {};
  std::fill(block.begin() + static_cast<ptrdiff_t>(data_end), block.end(), uint8_t{0});
  if (whole.bytes != 0) {
    format::EncodeHeader(header, {torn.header.capacity, static_cast<uint32_t>(whole.bytes)});
    std::memcpy(block.data(), header, sizeof header);
    if (identity != nullptr) AddTrailer(&block, whole, *identity);
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

}  // namespace

IoStatus ShortenBlock(io::File* file, uint64_t at, const format::BlockHeader& header,
                      size_t valid) {
  uint8_t shorter[format::kBlockHeaderBytes] = {};
  if (valid != 0) format::EncodeHeader(shorter, {header.capacity, static_cast<uint32_t>(valid)});
  const int error = OverwriteFully(file, shorter, sizeof shorter, at);
  return {error, "pwrite"};
}

IoStatus FindTornBlock(io::File* file, uint64_t from, uint64_t size, bool* found, TornBlock* torn) {
  *found = false;
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
      *found = true;
      *torn = {at, header};
      return {};
    }
    at = next;
  }
  return {};
}

int ReadFully(io::File* file, void* to, size_t size, uint64_t offset) {
  auto* at = static_cast<uint8_t*>(to);
  while (size > 0) {
    const ssize_t got = file->Read(at, size, offset);
    if (got == -EINTR) continue;
    if (got <= 0) return got < 0 ? static_cast<int>(-got) : EIO;
    at += got;
    offset += static_cast<uint64_t>(got);
    size -= static_cast<size_t>(got);
  }
  return 0;
}

IoStatus AppendFully(io::File* file, const void* from, size_t size, uint64_t* end) {
  auto* at = static_cast<uint8_t*>(const_cast<void*>(from));
  while (size > 0) {
    const iovec part{at, size};
    const ssize_t put = file->AppendBuffered(&part, 1, end);
    if (put == -EINTR) continue;
    if (put <= 0) return {put < 0 ? static_cast<int>(-put) : ENOSPC, "write"};
    at += put;
    size -= static_cast<size_t>(put);
  }
  return {};
}

IoStatus PrepareAppend(io::File* file, uint64_t* end, uint64_t from,
                       const format::Trailer* identity) {
  io::FileInfo info;
  int error = file->Stat(&info);
  if (error != 0) return {-error, "fstat"};
  *end = info.size;
  if (info.size == 0) return {};
  if (!SoundBlockEndsAt(file, EndWithoutFill(file, info.size))) {
    bool found = false;
    TornBlock torn;
    IoStatus status = FindTornBlock(file, from, info.size, &found, &torn);
    if (status.ok() && found) status = RepairTornBlock(file, torn, info.size, identity);
    if (!status.ok()) return status;
  }
  error = file->Stat(&info);
  if (error != 0) return {-error, "fstat"};
  *end = info.size;
  const std::vector<uint8_t> fill(format::AlignUp(*end, file->alignment()) - *end);
  return AppendFully(file, fill.data(), fill.size(), end);
}

IoStatus PrepareText(io::File* file, uint64_t* end) {
  io::FileInfo info;
  const int stat_result = file->Stat(&info);
  if (stat_result != 0) return {-stat_result, "fstat"};
  *end = info.size;
  if (info.size == 0) return {};
  uint8_t last = 0;
  const int error = ReadFully(file, &last, 1, info.size - 1);
  if (error != 0) return {error, "pread"};
  return last == '\n' ? IoStatus{} : AppendFully(file, "\n", 1, end);
}

}  // namespace shardlog::engine
