#include "engine/append_point.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "format/block.h"

namespace shardlog::engine {
namespace {

constexpr size_t kScanBytes = 1u << 20;
constexpr uint64_t kLargestBlock = kMaxShardBytes + format::kSectorBytes;  // with its carrier

int WriteFully(io::File* file, const void* from, size_t size, uint64_t offset) {
  const auto* at = static_cast<const uint8_t*>(from);
  while (size > 0) {
    const ssize_t put = file->WriteBuffered(at, size, offset);
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
  if (trailer.length > std::min(end, kLargestBlock)) return false;
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

// Walks the file's blocks from `at` on; *torn_at is the offset of a last block that claims more
// bytes than the file has (*torn is its header), or `size` if there is none.
int FindTornBlock(io::File* file, uint64_t at, uint64_t size, uint64_t* torn_at,
                  format::BlockHeader* torn) {
  *torn_at = size;
  HeaderReader headers(file, size);
  while (at + format::kBlockHeaderBytes <= size) {
    format::BlockHeader header;
    const int error = headers.Read(at, &header);
    if (error != 0) return error;
    // Memory comes in whole sectors, which text that looks like a header does not: no block has
    // such a capacity.
    const bool foreign =
        header.capacity % format::kSectorBytes != 0 || header.capacity > kMaxShardBytes;
    if (foreign || header.IsFill() || !header.IsPlausible()) {
      at += format::kSectorBytes;
      continue;
    }
    const uint64_t next = at + format::Stride(header.valid);
    if (next > size) {
      *torn_at = at;
      *torn = header;
      return 0;
    }
    at = next;
  }
  return 0;
}

// Whether bytes of which no entry is whole begin as the entries of a block do.
bool BeginsLikeAnEntry(const std::vector<uint8_t>& bytes, uint32_t valid) {
  if (bytes.size() < format::kEntryPrefixBytes) return true;
  const uint32_t length = format::Load<uint32_t>(bytes.data());
  return length != 0 && uint64_t{length} + format::kEntryPrefixBytes <= valid;
}

// Cuts the block at `at` to the entries that are whole and zeroes what is behind them; all of it,
// if none is: left as it is, the block would swallow those that are appended behind it.
int MendTornBlock(io::File* file, uint64_t at, format::BlockHeader torn, uint64_t size) {
  std::vector<uint8_t> bytes(size - at - format::kBlockHeaderBytes);
  int error = ReadFully(file, bytes.data(), bytes.size(), at + format::kBlockHeaderBytes);
  if (error != 0) return error;
  const size_t whole = format::FindWholeEntries(bytes.data(), bytes.size()).bytes;
  uint8_t header[format::kBlockHeaderBytes] = {};
  if (whole != 0) {
    format::EncodeHeader(header, {torn.capacity, static_cast<uint32_t>(whole)});
  } else if (!BeginsLikeAnEntry(bytes, torn.valid)) {
    return 0;  // foreign bytes that happen to look like a header
  }
  std::fill(bytes.begin() + static_cast<ptrdiff_t>(whole), bytes.end(), uint8_t{0});
  // The header last: until then the block is torn, and is mended again.
  error = WriteFully(file, bytes.data() + whole, bytes.size() - whole, at + sizeof header + whole);
  return error != 0 ? error : WriteFully(file, header, sizeof header, at);
}

}  // namespace

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

IoStatus PrepareAppend(io::File* file, uint64_t* end, uint64_t from) {
  io::FileInfo info;
  const int stat_result = file->Stat(&info);
  if (stat_result != 0) return {-stat_result, "fstat"};
  *end = format::AlignUp(info.size, file->alignment());
  if (info.size == 0) return {};
  if (!SoundBlockEndsAt(file, EndWithoutFill(file, info.size))) {
    uint64_t torn_at = info.size;
    format::BlockHeader torn;
    int error = FindTornBlock(file, from, info.size, &torn_at, &torn);
    if (error != 0) return {error, "pread"};
    if (torn_at != info.size) error = MendTornBlock(file, torn_at, torn, info.size);
    if (error != 0) return {error, "pwrite"};
  }
  const std::vector<uint8_t> fill(*end - info.size);
  const int error = WriteFully(file, fill.data(), fill.size(), info.size);
  if (error != 0) return {error, "pwrite"};
  return {};
}

IoStatus PrepareText(io::File* file, uint64_t* end) {
  io::FileInfo info;
  const int stat_result = file->Stat(&info);
  if (stat_result != 0) return {-stat_result, "fstat"};
  *end = info.size;
  if (info.size == 0) return {};
  uint8_t last = 0;
  int error = ReadFully(file, &last, 1, info.size - 1);
  if (error != 0) return {error, "pread"};
  if (last == '\n') return {};
  static constexpr uint8_t kNewline = '\n';
  error = WriteFully(file, &kNewline, 1, info.size);
  if (error != 0) return {error, "pwrite"};
  *end = info.size + 1;
  return {};
}

bool FindZeroes(io::File* file, uint64_t end, uint64_t* begin) {
  // Text has no zeroes: up to the cut there are none, from there on nothing else.
  uint64_t text = 0;
  uint64_t zeroes = end;
  while (text < zeroes) {
    const uint64_t middle = text + (zeroes - text) / 2;
    uint8_t byte = 0;
    if (ReadFully(file, &byte, 1, middle) != 0) return false;
    if (byte == 0) {
      zeroes = middle;
    } else {
      text = middle + 1;
    }
  }
  std::vector<uint8_t> found(std::min<uint64_t>(end - zeroes, kPageBytes));
  if (found.empty() || ReadFully(file, found.data(), found.size(), zeroes) != 0) return false;
  *begin = zeroes;
  return std::all_of(found.begin(), found.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace shardlog::engine
