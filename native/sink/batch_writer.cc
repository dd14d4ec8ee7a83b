#include "sink/batch_writer.h"

#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/geometry.h"
#include "format/block.h"

namespace shardlog::engine {
namespace {

constexpr size_t kMaxPieces = 512;            // of the kernel's 1024
constexpr size_t kMaxBatchBytes = 32u << 20;  // larger writes gain nothing measurable
// Fewer lines go through the page cache in one call: two calls that are synchronous take longer.
constexpr size_t kMinDirectLines = 128u << 10;
// A start at a whole page of the file makes direct writes twice as fast; so far it is looked for.
constexpr size_t kSearchForPage = 512u << 10;
// Somebody who appends so often that none of our calls finds the end where it was may go first.
constexpr int kMaxMoves = 1000;

// Failures that may pass: a full disk is being cleaned, a path is being switched over.
constexpr long kRetryPausesNs[] = {1'000'000, 5'000'000, 25'000'000};
constexpr size_t kRetries = sizeof kRetryPausesNs / sizeof kRetryPausesNs[0];

bool MayPass(int error) {
  return error == ENOSPC || error == EIO || error == EDQUOT || error == EAGAIN || error == ENOMEM;
}

// What came of a call that took nothing, and whether to try again.
class Retries {
 public:
  // The error to give up with, or 0 to go on.
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

// The last line end in (from, size] of lines that lie at `offset` of the file, where the file is a
// multiple of `unit` long then; 0 if there is none.
size_t LastLineEnd(const uint8_t* data, size_t from, size_t size, uint64_t offset, size_t unit) {
  for (uint64_t at = format::AlignDown(offset + size, unit); at > offset + from; at -= unit) {
    const auto position = static_cast<size_t>(at - offset);
    if (data[position - 1] == '\n') return position;
  }
  return 0;
}

// The first one.
size_t FirstLineEnd(const uint8_t* data, size_t size, uint64_t offset, size_t unit) {
  for (uint64_t at = format::AlignUp(offset + 1, unit); at <= offset + size; at += unit) {
    const auto position = static_cast<size_t>(at - offset);
    if (data[position - 1] == '\n') return position;
  }
  return 0;
}

}  // namespace

BatchWriter::BatchWriter(Unit unit) : unit_(unit) {
  pieces_.reserve(kMaxPieces + 2);
  selected_.reserve(kMaxPieces + 2);
}

void BatchWriter::Start(LogFile* log, size_t torn) {
  log_ = log;
  pieces_.clear();
  block_ends_.clear();
  bytes_ = 0;
  at_ = torn;
}

void BatchWriter::Add(uint8_t* start, size_t bytes) {
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

bool BatchWriter::IsFull() const {
  return pieces_.size() >= kMaxPieces || bytes_ >= kMaxBatchBytes;
}

IoStatus BatchWriter::Write() {
  whole_ = whole_blocks_ = torn_ = 0;
  if (pieces_.empty()) return {};
  data_ = static_cast<const uint8_t*>(pieces_.front().iov_base);
  size_ = bytes_;
  moves_ = 0;
  // What a unit had in the log before is no more than the unit.
  at_ = std::min(at_, UnitEnd(0));
  IoStatus status;
  if (log_->HasOld()) status = FinishInOld();
  if (status.ok()) status = WriteRest();
  Settle();
  pieces_.clear();
  block_ends_.clear();
  bytes_ = at_ = 0;
  return status;
}

// Tells what is in the log.
void BatchWriter::Settle() {
  whole_ = at_ == bytes_ ? at_ : UnitStart(at_);
  torn_ = at_ - whole_;
  const auto end = std::upper_bound(block_ends_.begin(), block_ends_.end(), whole_);
  whole_blocks_ = static_cast<size_t>(end - block_ends_.begin());
}

// Completes the unit that the log's old file ends in. Where there is no point in it, the unit is
// written anew.
IoStatus BatchWriter::FinishInOld() {
  Retries retries;
  const size_t end = at_ == 0 ? 0 : UnitEnd(at_ - 1);
  while (at_ < end) {
    Select(end);
    const ssize_t taken = log_->AppendToOld(selected_.data(), static_cast<int>(selected_.size()));
    if (taken > 0) {
      at_ += static_cast<size_t>(taken);
      continue;
    }
    if (taken == -ESTALE) {
      const IoStatus status = log_->DisownInOld(at_);
      if (!status.ok()) return status;
      at_ = 0;
      break;
    }
    const int error = retries.After(taken);
    if (error != 0) return {error, "write"};
  }
  log_->DropOld();
  return {};
}

IoStatus BatchWriter::WriteRest() {
  Retries retries;
  while (at_ < bytes_) {
    if (unit_ == Unit::kBlocks && at_ == UnitStart(at_)) {
      const IoStatus status = log_->Align();
      if (!status.ok()) return status;
    }
    const Call call = NextCall();
    Select(call.to);
    const uint64_t end = log_->end();
    const uint64_t torn = at_ - UnitStart(at_);
    bool moved = false;
    const ssize_t taken =
        log_->Append(selected_.data(), static_cast<int>(selected_.size()), call.through, &moved);
    if (taken > 0) {
      // What it took lies where it means nothing; the beginning is in a copy, or gone.
      if (moved && torn != 0 && log_->end() - static_cast<uint64_t>(taken) < end) {
        log_->NoteCut();
        return kLogIsCut;
      }
      const IoStatus status = moved ? log_->Disown(end, torn) : IoStatus{};
      if (!status.ok()) return status;
      Resume(moved, static_cast<size_t>(taken));
    } else if (taken == -EINVAL && call.through == LogFile::Through::kDevice) {
      const IoStatus status = log_->FindMovedEnd(&moved);
      if (!status.ok()) return status;
      if (!moved) return {EINVAL, "writev"};  // the file system has no direct I/O after all
      const IoStatus disowned = log_->Disown(end, torn);
      if (!disowned.ok()) return disowned;
      Resume(true, 0);
    } else {
      const int error = retries.After(taken);
      if (error != 0) return {error, "writev"};
      // Somebody may have appended during the pause.
      IoStatus status = log_->FindMovedEnd(&moved);
      if (status.ok() && moved) status = log_->Disown(end, torn);
      if (!status.ok()) return status;
      if (moved) Resume(true, 0);
    }
    if (moves_ > kMaxMoves) return {EBUSY, "writev"};
  }
  return {};
}

// Goes on behind what a call has taken. A unit whose rest came to lie behind what somebody else
// appended is begun anew, as is a block that came to lie where no block may begin.
void BatchWriter::Resume(bool moved, size_t taken) {
  if (!moved) {
    at_ += taken;
    return;
  }
  moves_++;
  const uint64_t start = log_->end() - taken;
  const bool misplaced = unit_ == Unit::kBlocks && start % format::kSectorBytes != 0;
  if (at_ == UnitStart(at_) && !misplaced) {
    at_ += taken;
  } else {
    at_ = UnitStart(at_);
  }
}

// The rest of a unit goes by itself: if it comes to lie behind what somebody else appends at the
// same moment, no unit that is whole goes with it, to be written again.
BatchWriter::Call BatchWriter::NextCall() const {
  if (at_ != UnitStart(at_)) return {UnitEnd(at_), LogFile::Through::kCache};
  return unit_ == Unit::kBlocks ? NextCallOfBlocks() : NextCallOfLines();
}

BatchWriter::Call BatchWriter::NextCallOfBlocks() const {
  if (log_->direct() && CanGoDirect()) return {bytes_, LogFile::Through::kDevice};
  return {log_->direct() ? UnitEnd(at_) : bytes_, LogFile::Through::kCache};
}

BatchWriter::Call BatchWriter::NextCallOfLines() const {
  const Call all{bytes_, LogFile::Through::kCache};
  const uint8_t* const data = data_ + at_;
  const size_t size = bytes_ - at_;
  const bool congruent = (reinterpret_cast<uintptr_t>(data) - log_->end()) % kPageBytes == 0;
  if (!log_->direct() || size < kMinDirectLines || !congruent) return all;
  if (CanGoDirect()) {
    const size_t to = BestCut(data, size, log_->end());
    const bool aligned = (log_->end() + to) % log_->alignment() == 0;
    return aligned && to >= kMinDirectLines ? Call{at_ + to, LogFile::Through::kDevice} : all;
  }
  const size_t near = std::min(size, kSearchForPage);
  size_t head = FirstLineEnd(data, near, log_->end(), std::max(kPageBytes, log_->alignment()));
  if (head == 0) head = FirstLineEnd(data, size, log_->end(), log_->alignment());
  const bool worth = head != 0 && size - head >= kMinDirectLines;
  return worth ? Call{at_ + head, LogFile::Through::kCache} : all;
}

size_t BatchWriter::BestCut(const uint8_t* data, size_t size, uint64_t offset) const {
  const size_t unit = log_->alignment();
  // Lines behind the cut are moved: a page that is far from the end is not worth that.
  const size_t from = size - size / 8;
  size_t cut = LastLineEnd(data, from, size, offset, std::max<size_t>(kPageBytes, unit));
  if (cut == 0) cut = LastLineEnd(data, 0, size, offset, unit);
  if (cut != 0) return cut;
  const void* const last = memrchr(data, '\n', size);
  return last == nullptr ? 0 : static_cast<size_t>(static_cast<const uint8_t*>(last) - data) + 1;
}

// Whether the next byte lies at a whole unit of the device and of memory.
bool BatchWriter::CanGoDirect() const {
  const size_t unit = log_->alignment();
  if (log_->end() % unit != 0) return false;
  return unit_ == Unit::kBlocks ? at_ % unit == 0
                                : reinterpret_cast<uintptr_t>(data_ + at_) % unit == 0;
}

// Where the unit begins that the byte at `at` is of; `at` itself behind the last one.
size_t BatchWriter::UnitStart(size_t at) const {
  if (unit_ == Unit::kBlocks) {
    const auto next = std::upper_bound(block_ends_.begin(), block_ends_.end(), at);
    return next == block_ends_.begin() ? 0 : *(next - 1);
  }
  const void* const last = at == 0 ? nullptr : memrchr(data_, '\n', at);
  return last == nullptr ? 0 : static_cast<size_t>(static_cast<const uint8_t*>(last) - data_) + 1;
}

// Where it ends.
size_t BatchWriter::UnitEnd(size_t at) const {
  if (unit_ == Unit::kBlocks) {
    return *std::upper_bound(block_ends_.begin(), block_ends_.end(), at);
  }
  const void* const next = std::memchr(data_ + at, '\n', bytes_ - at);
  return next == nullptr ? bytes_
                         : static_cast<size_t>(static_cast<const uint8_t*>(next) - data_) + 1;
}

// Fills in selected_ with the batch from at_ up to `to`.
void BatchWriter::Select(size_t to) {
  selected_.clear();
  size_t start = 0;
  for (const iovec& piece : pieces_) {
    const size_t end = start + piece.iov_len;
    const size_t from = std::max(start, at_);
    const size_t until = std::min(end, to);
    if (from < until) {
      selected_.push_back({static_cast<uint8_t*>(piece.iov_base) + (from - start), until - from});
    }
    start = end;
  }
}

}  // namespace shardlog::engine
