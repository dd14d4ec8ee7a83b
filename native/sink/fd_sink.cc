#include "sink/fd_sink.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace shardlog::engine {

FdSink::FdSink(std::shared_ptr<BufferSets> sets, std::unique_ptr<io::Stream> stream,
               const Config& config, FlushStats* stats, ErrorReporter* errors)
    : Sink(std::move(sets), config, stats, errors),
      name_(config.path),
      block_timeout_ns_(config.block_timeout_ns),
      exit_timeout_ns_(config.exit_timeout_ns),
      info_(stream->info()),
      stream_(std::move(stream)),
      lines_(new FdOutput(stream_.get(), block_timeout_ns_, exit_timeout_ns_)),
      records_(this->sets().geometry(), std::unique_ptr<LineOutput>(lines_)) {}

IoStatus FdSink::WriteSealed(uint64_t generation, BlockTotals* totals) {
  if (lines_->broken()) return {ETIMEDOUT, "poll"};
  if (is_gone_) {
    stats().lost_entries.Add(sets().CountWaiting(generation));
    return {};
  }
  WriteProgress progress(nullptr);  // the lines themselves know how far they are
  const IoStatus status =
      records_.Write(nullptr, Context(generation), sealed(), &progress, nullptr);
  *totals = progress.totals();
  is_partial_ = !status.ok();
  attempted_ = generation;
  const bool is_cut = status.error == EFAULT && sets().arena().IsCut();
  if (status.ok() || is_cut || lines_->broken() || stream_->MayPass(status.error)) return status;
  Lose(generation, status, totals);
  return {};
}

// The reader will take no more, of this generation or any other.
void FdSink::Lose(uint64_t generation, const IoStatus& status, BlockTotals* totals) {
  is_gone_ = true;
  is_partial_ = false;
  const uint64_t waiting = sets().CountWaiting(generation);
  *totals = Delivered();
  totals->entries = std::min(totals->entries, waiting);
  stats().lost_entries.Add(waiting - totals->entries);
  const FlushError problem = {"ERR_SHARDLOG_WRITE",
                              name_ + " takes no more: " + status.call + ": " +
                                  std::strerror(status.error) +
                                  "; lines are dropped and counted from now on",
                              "", status.error, status.call};
  // That a reader ends before its writer is usual: `| head`.
  if (status.error == EPIPE) {
    errors().SetLast(problem);
  } else {
    errors().Report(problem);
  }
}

BlockTotals FdSink::Delivered() const {
  BlockTotals totals;
  totals.bytes = totals.payload = lines_->delivered();
  totals.entries = lines_->delivered_lines();
  return totals;
}

bool FdSink::HasBegun(uint64_t generation) const {
  return is_partial_ && attempted_ == generation && lines_->delivered() != 0;
}

void FdSink::GiveUp() {
  CommitPartial();
  is_partial_ = false;
}

uint64_t FdSink::CommitPartial() {
  if (!is_partial_) return 0;
  const BlockTotals totals = Delivered();
  CountWritten(totals);
  return totals.entries;
}

void FdSink::Close() {
  const std::lock_guard<std::mutex> lock(close_mutex_);
  stream_.reset();
}

void FdSink::BeginShutdown() {
  const std::lock_guard<std::mutex> lock(close_mutex_);
  if (stream_ != nullptr) lines_->BeginShutdown();
}

void FdSink::Nudge() {
  const std::lock_guard<std::mutex> lock(close_mutex_);
  if (stream_ != nullptr) lines_->Nudge();
}

FlushError FdSink::StallError() const {
  return {"ERR_SHARDLOG_STALLED",
          "nobody has taken anything from " + name_ + " for " +
              std::to_string(block_timeout_ns_ / kNsPerMs) + " ms (blockTimeout)",
          "", 0, "poll"};
}

FlushError FdSink::ProblemOf(const IoStatus& status) const {
  if (lines_->broken()) {
    return {"ERR_SHARDLOG_STALLED",
            name_ + " had not taken everything when the end had lasted " +
                std::to_string(exit_timeout_ns_ / kNsPerMs) + " ms (exitTimeout)",
            "", 0, "poll"};
  }
  return {"ERR_SHARDLOG_WRITE",
          "writing to " + name_ + " failed: " + status.call + ": " + std::strerror(status.error) +
              "; the lines are kept and tried again",
          "", status.error, status.call};
}

IoMode FdSink::io_mode() const {
  return {false, name_ + " is written to through the kernel's buffers", 1};
}

}  // namespace shardlog::engine
