#include "engine/piece_writer.h"

#include <time.h>

#include <cerrno>

#include "format/block.h"

namespace shardlog::engine {
namespace {

constexpr size_t kMaxPieces = 512;            // of the kernel's 1024
constexpr size_t kMaxBatchBytes = 32u << 20;  // larger writes gain nothing measurable

// Failures that may pass: a full disk is being cleaned, a path is being switched over.
constexpr long kRetryPausesNs[] = {1'000'000, 5'000'000, 25'000'000};
constexpr size_t kRetries = sizeof kRetryPausesNs / sizeof kRetryPausesNs[0];

bool MayPass(int error) {
  return error == ENOSPC || error == EIO || error == EDQUOT || error == EAGAIN || error == ENOMEM;
}

// What came of a write, and whether to try again.
class Retries {
 public:
  // `result` is not positive, or of no use. The error to give up with, or 0 to go on.
  int After(ssize_t result) {
    if (result == -EINTR) return 0;
    const int error = result < 0 ? static_cast<int>(-result) : ENOSPC;
    if (result >= 0 && ++empty_ <= kRetries) return 0;
    if (!MayPass(error) || failures_ == kRetries) return error;
    const timespec pause{0, kRetryPausesNs[failures_++]};
    nanosleep(&pause, nullptr);
    return 0;
  }

 private:
  size_t failures_ = 0;
  size_t empty_ = 0;
};

// Drops the first `bytes` of the pieces.
void Advance(std::vector<iovec>* pieces, size_t bytes) {
  auto piece = pieces->begin();
  while (piece != pieces->end() && bytes >= piece->iov_len) bytes -= (piece++)->iov_len;
  pieces->erase(pieces->begin(), piece);
  if (bytes == 0) return;
  pieces->front().iov_base = static_cast<uint8_t*>(pieces->front().iov_base) + bytes;
  pieces->front().iov_len -= bytes;
}

}  // namespace

PieceWriter::PieceWriter() { pieces_.reserve(kMaxPieces + 2); }

void PieceWriter::Start(io::File* file, uint64_t base) {
  file_ = file;
  alignment_ = file->alignment();
  offset_ = base;
  pieces_.clear();
  bytes_ = 0;
}

void PieceWriter::Add(uint8_t* start, size_t bytes) {
  bytes_ += bytes;
  if (!pieces_.empty()) {
    iovec& last = pieces_.back();
    if (static_cast<uint8_t*>(last.iov_base) + last.iov_len == start) {
      last.iov_len += bytes;
      return;
    }
  }
  pieces_.push_back({start, bytes});
}

bool PieceWriter::IsFull() const {
  return pieces_.size() >= kMaxPieces || bytes_ >= kMaxBatchBytes;
}

IoStatus PieceWriter::Write() {
  Retries retries;
  while (!pieces_.empty()) {
    const ssize_t result = file_->Write(pieces_.data(), static_cast<int>(pieces_.size()), offset_);
    if (result > 0) {
      // Direct I/O goes on from an aligned offset; what is cut off here is written again.
      const size_t done = static_cast<size_t>(result);
      const size_t whole =
          done >= bytes_ ? done : format::AlignDown(static_cast<uint64_t>(result), alignment_);
      Advance(&pieces_, whole);
      bytes_ -= whole;
      offset_ += whole;
      if (whole > 0) continue;
    }
    const int error = retries.After(result);
    if (error != 0) return {error, "pwritev"};
  }
  return {};
}

IoStatus WriteThroughCache(io::File* file, const uint8_t* from, size_t bytes, uint64_t offset) {
  Retries retries;
  while (bytes > 0) {
    const ssize_t result = file->WriteBuffered(from, bytes, offset);
    if (result > 0) {
      from += result;
      bytes -= static_cast<size_t>(result);
      offset += static_cast<uint64_t>(result);
      continue;
    }
    const int error = retries.After(result);
    if (error != 0) return {error, "pwrite"};
  }
  return {};
}

}  // namespace shardlog::engine
