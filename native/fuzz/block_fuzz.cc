// Any bytes as block, entries and trailer: the decoders read nothing outside, and agree with each
// other.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "format/block.h"
#include "format/crc32c.h"

namespace format = shardlog::format;

namespace {

void CheckEntries(const uint8_t* data, size_t size) {
  const size_t whole = format::FindWholeEntries(data, size).bytes;
  const int64_t count = format::CountEntries(data, size);
  if (whole > size) std::abort();
  if ((count >= 0) != (whole == size)) std::abort();
  if (format::CountEntries(data, whole) < 0) std::abort();
}

void CheckTrailer(const uint8_t* data) {
  format::Trailer trailer;
  if (!format::DecodeTrailer(data, &trailer)) return;
  uint8_t encoded[format::kTrailerBytes];
  format::EncodeTrailer(encoded, trailer, 7);
  if (std::memcmp(encoded, data, format::kTrailerCrcOffset) != 0) std::abort();
  if (!format::TrailerMatches(encoded, 7)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of the exact size, so that the sanitizer sees a read behind it.
  const std::vector<uint8_t> bytes(data, data + size);
  CheckEntries(bytes.data(), bytes.size());
  if (format::Crc32c(bytes.data(), bytes.size()) !=
      format::Crc32cPortable(bytes.data(), bytes.size()))
    std::abort();
  if (size >= format::kTrailerBytes) CheckTrailer(bytes.data() + size - format::kTrailerBytes);
  if (size >= format::kBlockHeaderBytes) {
    const format::BlockHeader header = format::DecodeHeader(bytes.data());
    if (header.IsPlausible() && format::BlockExtent(header.valid) < header.valid) std::abort();
  }
  return 0;
}
