// Writes generations as lines to a descriptor. A reader that takes nothing stops it, and nobody
// else: meanwhile the sets fill up. Where nobody reads any more, everything is dropped and counted.
//
// Thread: the flusher; what Sink says, any.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "engine/sink.h"
#include "io/stream.h"
#include "sink/fd_output.h"
#include "sink/line_encoder.h"

namespace shardlog::engine {

class FdSink final : public Sink {
 public:
  // `stats` and `errors` outlive the writer.
  FdSink(std::shared_ptr<BufferSets> sets, std::unique_ptr<io::Stream> stream, const Config& config,
         FlushStats* stats, ErrorReporter* errors);

  // Lines that have gone out stay out.
  uint64_t CommitPartial() override;
  bool HasBegun(uint64_t generation) const override;
  void Finish() override {}
  void Close() override;
  void BeginShutdown() override;
  void set_before_wait(const std::function<uint64_t()>& call) override {
    lines_->set_before_wait(call);
  }
  void Nudge() override;
  uint64_t WaitBudgetNs(uint64_t since_ns) const override { return lines_->WaitBudgetNs(since_ns); }
  FlushError StallError() const override;
  bool broken() const override { return lines_->broken(); }
  IoMode io_mode() const override;
  io::FileInfo file_info() const override { return info_; }

 protected:
  void GiveUp() override;
  IoStatus WriteSealed(uint64_t generation, BlockTotals* totals) override;
  FlushError ProblemOf(const IoStatus& status) const override;

 private:
  void Lose(uint64_t generation, const IoStatus& status, BlockTotals* totals);
  BlockTotals Delivered() const;

  const std::string name_;
  const uint64_t block_timeout_ns_;
  const uint64_t exit_timeout_ns_;
  const io::FileInfo info_;
  std::mutex close_mutex_;              // keeps Close off while others wake the flusher
  std::unique_ptr<io::Stream> stream_;  // until Close
  FdOutput* const lines_;               // the records' own
  LineEncoder records_;
  bool is_gone_ = false;                // nobody reads any more
  bool is_partial_ = false;             // of a generation some has gone out
  uint64_t attempted_ = kNoGeneration;  // the generation that this is about
};

}  // namespace shardlog::engine
