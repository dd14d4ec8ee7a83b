#include "sink/append_point.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "engine/geometry.h"
#include "format/block.h"
#include "sink/torn_block.h"

namespace shardlog::engine {
namespace {

constexpr size_t kScanBytes = 1u << 20;
constexpr uint64_t kMaxBlock = kMaxShardBytes + format::kSectorBytes;  // with its carrier

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

IoStatus RepairTornBlocks(io::File* file, uint64_t from, uint64_t size,
                          const format::Trailer* identity) {
  while (from < size) {
    TornBlock torn;
    IoStatus status = FindTornBlock(file, from, size, &torn);
    if (!status.ok() || !torn.found) return status;
    if (identity != nullptr) return CompleteBlock(file, torn, size, *identity);
    // What stays of a torn block may hold bytes that look like another.
    status = CutToOurs(file, torn, size, &from);
    if (!status.ok()) return status;
  }
  return {};
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
    const IoStatus status = RepairTornBlocks(file, from, info.size, identity);
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
