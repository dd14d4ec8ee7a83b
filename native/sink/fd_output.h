// Lines that go to a descriptor, as fast as somebody takes them there. Each goes out once: what a
// failure interrupts is gone on with where it stopped, since a sealed generation is the same lines
// each time.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

#include "io/stream.h"
#include "sink/line_encoder.h"

namespace shardlog::engine {

class FdOutput final : public LineOutput {
 public:
  // `stream` outlives it. `block_timeout_ns`: how long nothing may be taken before a caller waits
  // no longer. `exit_timeout_ns`: how long the end may take.
  FdOutput(io::Stream* stream, uint64_t block_timeout_ns, uint64_t exit_timeout_ns)
      : stream_(stream), block_timeout_ns_(block_timeout_ns), exit_timeout_ns_(exit_timeout_ns) {}

  // The file is null.
  IoStatus Start(LogFile* file, const BlockContext& context, WriteProgress* progress) override;
  // Fails with ETIMEDOUT where it has to wait when exit_timeout_ns have passed since BeginShutdown.
  IoStatus Append(const record::LineBuffer& chunk) override;
  IoStatus Finish() override;
  record::Framing framing() const override { return record::Framing::kBackToBack; }
  Counts counts() const override { return Counts::kNothing; }

  // Of the generation that was started last: bytes that have gone out, and whole lines among them.
  uint64_t delivered() const { return delivered_; }
  uint64_t delivered_lines() const { return lines_; }

  // Any thread: whether it has failed because the end took too long, which it does for good.
  // [MM counter] relaxed: it stays so, and what it leads to is done by the flusher.
  bool broken() const { return broken_.load(std::memory_order_relaxed); }

  // Called before each wait for the reader; returns after how many ns it is to be called again.
  void set_before_wait(std::function<uint64_t()> call) { before_wait_ = std::move(call); }

  // Any thread.
  void BeginShutdown();
  void Nudge() { stream_->Interrupt(); }
  uint64_t WaitBudgetNs(uint64_t since_ns) const;

 private:
  IoStatus Send(const char* data, size_t from, size_t size);
  size_t SendPart(const char* data, size_t size, IoStatus* status);
  bool Hold(bool alone);
  bool AwaitRoom(uint64_t pause_ns);
  void Progress(size_t bytes);

  io::Stream* const stream_;
  const uint64_t block_timeout_ns_;
  const uint64_t exit_timeout_ns_;
  std::function<uint64_t()> before_wait_;

  WriteProgress* progress_ = nullptr;
  uint64_t generation_ = kNoGeneration;
  uint64_t position_ = 0;   // of the next chunk in the generation
  uint64_t delivered_ = 0;  // bytes of the generation
  uint64_t lines_ = 0;      // whole ones before `position_`, or delivered_ if it is less
  bool is_last_try_ = false;
  uint64_t no_hold_before_ns_ = 0;  // somebody keeps the stream to himself, and does not write

  std::atomic<bool> broken_{false};
  std::atomic<uint64_t> stalled_since_ns_{0};   // 0: it is not
  std::atomic<uint64_t> shutdown_since_ns_{0};  // 0: there is none
};

}  // namespace shardlog::engine
