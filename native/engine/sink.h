// Where the generations of a log go, one after the other: its file (sink/file_sink.h), or a
// descriptor (sink/fd_sink.h). The flusher writes through this interface and knows neither.
//
// Thread: the flusher, but for what says otherwise.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/arena_move.h"
#include "engine/buffer_sets.h"
#include "engine/config.h"
#include "engine/duration_histogram.h"
#include "engine/error_reporter.h"
#include "engine/io_status.h"
#include "engine/producer.h"

namespace shardlog::engine {

// What identifies and dates what is written of one generation.
struct BlockContext {
  uint64_t generation = 0;
  uint64_t stream = 0;
  uint64_t sequence = 0;    // of the generation's first block
  uint64_t first_time = 0;  // ns; no entry is older
  uint64_t sealed_time = 0;
  uint16_t flags = 0;
  const Arena* arena = nullptr;  // where the entries lie, if it may be cut meanwhile

  bool IsSourceCut() const { return arena != nullptr && arena->IsCut(); }
};

// What of a generation is in the log.
struct BlockTotals {
  uint64_t bytes = 0;  // everything the kernel accepted
  uint64_t payload = 0;
  uint64_t entries = 0;
  uint64_t blocks = 0;
  uint64_t damaged = 0;  // entries that could not be made out, or segments cut to what is whole
  std::vector<uint64_t> entries_of_shard;
};

// What a write says whose memory another program has cut.
inline constexpr IoStatus kArenaIsCut{EFAULT, "reading the arena"};

// When the first of the segments was claimed; ns since the epoch.
uint64_t FirstTime(const std::vector<SealedSegment>& segments);

// What the flusher has done. Written by it, read by any thread.
struct FlushStats {
  Counter bytes_written;
  Counter payload_bytes;
  Counter written_entries;
  Counter flushes;
  Counter flush_errors;
  Counter reopens;
  Counter lost_entries;   // given up: at close, or because nobody reads them any more
  Counter cuts;           // of the arena, by other programs, in which something was lost
  Counter left_entries;   // in the arena's file, at the end, for the next opening
  Counter closing_swaps;  // the one of the end, which no full set and nobody's flush asked for
  DurationHistogram durations;
  std::vector<Counter> entries_of_shard;
};

// How the sink is written to at the moment.
struct IoMode {
  bool direct = false;
  std::string reason;
  size_t alignment = 0;
};

class Sink {
 public:
  // `stats` and `errors` outlive the sink.
  Sink(std::shared_ptr<BufferSets> sets, const Config& config, FlushStats* stats,
       ErrorReporter* errors);
  virtual ~Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // Writes a generation below the active one, the oldest that is not written, and marks it so; with
  // `recycle` its set is free afterwards. On failure it stays as it is, sealed, and is written
  // again, or gone on with, by the next call.
  IoStatus Write(uint64_t generation, bool recycle);

  // Whether a part of the generation is in the log, and the rest can only be written if nothing of
  // the generation is lost.
  virtual bool HasBegun(uint64_t /*generation*/) const { return false; }
  // The arena was cut, and is sound again, with less in it: what was sealed is looked at anew.
  // Where a generation that had begun is not gone on with, what of it is in the log counts as
  // written.
  void BeginAnew(const MoveLosses& losses);

  // After a failure that is the last: what has got out whole counts as written. Returns the number
  // of its entries.
  virtual uint64_t CommitPartial() = 0;
  // The last write is done, or given up.
  virtual void Finish() = 0;
  // Notices, without anything to write, that the path names another file now, and goes on there.
  virtual void LookForFile() {}
  // In the child of fork(): gives the descriptors up, and leaves the locks to the parent.
  virtual void AbandonAfterFork() {}
  // Gives the file or descriptor up.
  virtual void Close() = 0;

  // Any thread: the log is at its end. A write that waits for a reader gives up once that has taken
  // as long as an end may.
  virtual void BeginShutdown() {}
  // What a write calls before it waits for a reader; returns after how many ns it wants to be
  // called again at the latest.
  virtual void set_before_wait(const std::function<uint64_t()>& /*call*/) {}
  // Any thread: has that called anew where a write waits.
  virtual void Nudge() {}
  // Any thread: for how long (ns) a flush that began at `since_ns` may wait before it asks again;
  // 0: it has waited long enough for nothing.
  virtual uint64_t WaitBudgetNs(uint64_t since_ns) const;
  // Any thread: whether a hurried write has given up, for good.
  virtual bool broken() const { return false; }
  // Any thread: what there is to say when patience is at an end.
  virtual FlushError StallError() const { return {}; }

  // Any thread.
  virtual IoMode io_mode() const = 0;
  // Any thread: which file it is now, or what the descriptor leads to.
  virtual io::FileInfo file_info() const = 0;

 protected:
  // Nothing more comes into the log of the generation that has begun, if any has.
  virtual void GiveUp() {}
  // Segments hold less than when they were written last; with `control`, the words are new.
  virtual void LookAnew(bool /*control*/) {}
  // Writes sealed(), which is not empty. Fails with kArenaIsCut, without more of it in the log,
  // where the arena turns out to be cut.
  virtual IoStatus WriteSealed(uint64_t generation, BlockTotals* totals) = 0;
  virtual FlushError ProblemOf(const IoStatus& status) const = 0;

  BufferSets& sets() const { return *sets_; }
  FlushStats& stats() const { return *stats_; }
  ErrorReporter& errors() const { return *errors_; }
  const std::vector<SealedSegment>& sealed() const { return sealed_; }
  uint64_t sealed_time() const { return sealed_time_; }
  BlockContext Context(uint64_t generation) const;
  void CountWritten(const BlockTotals& totals);

 private:
  void CountSuccess(const BlockTotals& totals, uint64_t started_ns);
  void ReportDamage(uint64_t damaged);
  void TakeArenaAway();

  const std::shared_ptr<BufferSets> sets_;
  const uint64_t flush_timeout_ns_;
  const Content content_;
  const std::string path_;
  FlushStats* const stats_;
  ErrorReporter* const errors_;

  std::vector<SealedSegment> sealed_;
  uint64_t sealed_generation_ = kNoGeneration;
  uint64_t sealed_time_ = 0;
};

}  // namespace shardlog::engine
