#include "sink/log_tail.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "format/crc32c.h"
#include "sink/append_point.h"

namespace shardlog::engine {

void LogTail::Append(const iovec* parts, int count, size_t taken) {
  if (bytes_ == nullptr) return;
  const size_t kept = taken >= kBytes ? 0 : std::min(size_, kBytes - taken);
  std::memmove(bytes_->data(), bytes_->data() + (size_ - kept), kept);
  size_ = kept;
  size_t skipped = taken - std::min(taken, kBytes);
  for (int i = 0; i < count && taken > 0; i++) {
    const size_t of_part = std::min(taken, parts[i].iov_len);
    const size_t from = std::min(skipped, of_part);
    std::memcpy(bytes_->data() + size_, static_cast<const uint8_t*>(parts[i].iov_base) + from,
                of_part - from);
    size_ += of_part - from;
    skipped -= from;
    taken -= of_part;
  }
}

int LogTail::Of(io::File* file, uint64_t end, Proof* proof) {
  if (bytes_ == nullptr) {
    auto there = std::make_unique<std::array<uint8_t, kBytes>>();
    size_ = static_cast<size_t>(std::min<uint64_t>(end, kBytes));
    const int error = ReadFully(file, there->data(), size_, end - size_);
    if (error != 0) return error;
    bytes_ = std::move(there);
  }
  proof->bytes = static_cast<uint32_t>(size_);
  proof->crc = format::Crc32c(bytes_->data(), size_);
  return 0;
}

bool LogTail::Holds(io::File* file, uint64_t end, const Proof& proof) {
  if (proof.bytes > kBytes || proof.bytes > end) return false;
  std::array<uint8_t, kBytes> there;
  return ReadFully(file, there.data(), proof.bytes, end - proof.bytes) == 0 &&
         format::Crc32c(there.data(), proof.bytes) == proof.crc;
}

}  // namespace shardlog::engine
