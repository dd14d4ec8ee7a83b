#include "sink/fd_output.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "platform/clock.h"
#include "platform/futex.h"
#include "sink/line_count.h"

namespace shardlog::engine {
namespace {

// A stream may say that it has room and take nothing: a terminal with room for one byte, and a line
// end that becomes two.
constexpr uint64_t kVainWritePauseNs = 2 * kNsPerMs;
// While another process writes a long line.
constexpr uint64_t kFirstHoldPauseNs = 20'000;
constexpr uint64_t kMaxUnusedNs = 50 * kNsPerMs;
constexpr uint64_t kNoHoldNs = 10'000 * kNsPerMs;
constexpr uint64_t kLastLookNs = 50 * kNsPerMs;

// The part of `size` bytes that is to go out by one call: whole lines that are taken together, or
// else one line.
size_t NextPart(const char* data, size_t size, size_t atomic_bytes) {
  if (size <= atomic_bytes) return size;
  const void* last = memrchr(data, '\n', atomic_bytes);
  if (last == nullptr) last = std::memchr(data + atomic_bytes, '\n', size - atomic_bytes);
  return last == nullptr ? size : static_cast<size_t>(static_cast<const char*>(last) - data) + 1;
}

uint64_t Later(uint64_t time_ns, uint64_t ns) {
  return ns > UINT64_MAX - time_ns ? UINT64_MAX : time_ns + ns;
}

}  // namespace

IoStatus FdOutput::Start(LogFile*, const BlockContext& context, WriteProgress* progress) {
  progress_ = progress;
  if (context.generation != generation_) delivered_ = 0;
  generation_ = context.generation;
  position_ = 0;
  lines_ = 0;
  return {};
}

IoStatus FdOutput::Append(const record::LineBuffer& chunk) {
  const size_t size = chunk.size();
  const uint64_t before = delivered_ - position_;
  const IoStatus status = Send(chunk.data(), std::min<uint64_t>(before, size), size);
  if (status.ok()) {
    position_ += size;
    lines_ += chunk.lines();
    return {};
  }
  const uint64_t of_chunk = delivered_ - position_;
  const uint64_t ends = CountLines(reinterpret_cast<const uint8_t*>(chunk.data()), of_chunk);
  lines_ += std::min(ends, chunk.lines());
  return status;
}

IoStatus FdOutput::Finish() {
  BlockTotals& totals = progress_->totals();
  totals.bytes = totals.payload = position_;
  totals.entries = lines_;
  return {};
}

IoStatus FdOutput::Send(const char* data, size_t from, size_t size) {
  while (from < size) {
    const size_t part = NextPart(data + from, size - from, stream_->atomic_bytes());
    IoStatus status;
    const size_t sent = SendPart(data + from, part, &status);
    if (!status.ok()) return status;
    from += sent;
  }
  return {};
}

// Sends all of a part. What is longer than the stream takes at once would be cut by others: they
// are kept off from its first byte to its last.
size_t FdOutput::SendPart(const char* data, size_t size, IoStatus* status) {
  const bool alone = size > stream_->atomic_bytes();
  uint32_t vain_writes = 0;
  size_t sent = 0;
  bool holds = false;
  while (sent < size && status->ok()) {
    if (!holds && !Hold(alone)) {
      *status = {ETIMEDOUT, "poll"};
      break;
    }
    holds = true;
    const ssize_t result = stream_->Write(data + sent, size - sent);
    if (result > 0) {
      vain_writes = 0;
      sent += static_cast<size_t>(result);
      Progress(static_cast<size_t>(result));
    } else if (result == 0 || result == -EAGAIN) {
      // Nobody waits for who has not begun.
      holds = sent != 0;
      if (!holds) stream_->Release();
      if (!AwaitRoom(vain_writes++ % 2 == 1 ? kVainWritePauseNs : 0)) *status = {ETIMEDOUT, "poll"};
    } else if (result != -EINTR) {
      *status = {static_cast<int>(-result), "write"};
    }
  }
  if (holds) stream_->Release();
  return sent;
}

// Waits until nobody else writes a line that may be cut. Whoever keeps the stream and leaves room
// in it unused, as a process that is stopped does, is not waited for. False: as AwaitRoom.
bool FdOutput::Hold(bool alone) {
  uint64_t pause_ns = kFirstHoldPauseNs;
  uint64_t unused_ns = 0;
  while (platform::MonotonicNs() >= no_hold_before_ns_ && !stream_->Hold(alone)) {
    if (!AwaitRoom(pause_ns)) return false;
    unused_ns = stream_->HasRoom() ? unused_ns + pause_ns : 0;
    if (unused_ns > kMaxUnusedNs) no_hold_before_ns_ = platform::MonotonicNs() + kNoHoldNs;
    pause_ns = std::min(2 * pause_ns, kVainWritePauseNs);
  }
  return true;
}

void FdOutput::Progress(size_t bytes) {
  delivered_ += bytes;
  is_last_try_ = false;
  // [MM counter] relaxed: a policy.
  if (stalled_since_ns_.load(std::memory_order_relaxed) == 0) return;
  stalled_since_ns_.store(0, std::memory_order_relaxed);  // [MM counter]
}

// Sleeps until there may be room, or, if that is not 0, for pause_ns. False: the end waits no
// longer.
bool FdOutput::AwaitRoom(uint64_t pause_ns) {
  const uint64_t now = platform::MonotonicNs();
  if (stalled_since_ns_.load(std::memory_order_relaxed) == 0) {  // [MM counter]
    stalled_since_ns_.store(now, std::memory_order_relaxed);     // [MM counter]
  }
  // [MM closed] acquire: pairs with BeginShutdown, whose Interrupt ends an earlier sleep.
  const uint64_t hurry = shutdown_since_ns_.load(std::memory_order_acquire);
  const uint64_t end = hurry == 0 ? UINT64_MAX : Later(hurry, exit_timeout_ns_);
  if (now >= end) {
    // The reader may have gone on while this thread did not run: one more write decides.
    is_last_try_ = !is_last_try_;
    broken_.store(!is_last_try_, std::memory_order_relaxed);  // [MM counter]
    return is_last_try_;
  }
  uint64_t left = end == UINT64_MAX ? platform::kForever : end - now;
  if (before_wait_) left = std::min(left, before_wait_());
  if (pause_ns != 0) {
    stream_->Pause(std::min(left, pause_ns));
  } else {
    stream_->AwaitRoom(left);
  }
  return true;
}

void FdOutput::BeginShutdown() {
  uint64_t never = 0;
  // [MM closed] release: pairs with AwaitRoom. The first end counts.
  shutdown_since_ns_.compare_exchange_strong(never, platform::MonotonicNs(),
                                             std::memory_order_release);
  stream_->Interrupt();
}

// A stall that has lasted as long as a call may wait is not waited for again, but for the moment
// that it takes to see that the reader has gone on. In the end it is the flusher that gives up.
uint64_t FdOutput::WaitBudgetNs(uint64_t since_ns) const {
  // [MM closed] acquire: as AwaitRoom.
  if (shutdown_since_ns_.load(std::memory_order_acquire) != 0) return platform::kForever;
  const uint64_t stalled_since = stalled_since_ns_.load(std::memory_order_relaxed);  // [MM counter]
  if (stalled_since == 0) return std::max(block_timeout_ns_, kNsPerMs);
  const uint64_t end = std::max(Later(stalled_since, block_timeout_ns_),
                                Later(since_ns, std::min(block_timeout_ns_, kLastLookNs)));
  const uint64_t now = platform::MonotonicNs();
  return now >= end ? 0 : end - now;
}

}  // namespace shardlog::engine
