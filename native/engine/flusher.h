// The thread that writes generations to the file.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/block_writer.h"
#include "engine/buffer_sets.h"
#include "engine/config.h"
#include "engine/duration_histogram.h"
#include "engine/log_file.h"
#include "engine/producer.h"

namespace shardlog::engine {

// A failure of the flusher, or its end: what lastError and the error callback tell.
struct FlushProblem {
  std::string code;  // empty: none
  std::string message;
  std::string path;
  int error_number = 0;
  std::string call;
};

// What the flusher has done. Written by it, read by any thread.
struct FlushStats {
  Counter bytes_written;
  Counter payload_bytes;
  Counter written_entries;
  Counter flushes;
  Counter flush_errors;
  Counter reopens;
  Counter lost_entries;   // given up at close
  Counter closing_swaps;  // the one of the end, which no full set and nobody's flush asked for
  DurationHistogram durations;
  std::vector<Counter> entries_of_shard;
};

// How the file is written at the moment.
struct IoMode {
  bool direct = false;
  std::string reason;
  size_t alignment = 0;
};

class Flusher {
 public:
  using ProblemCallback = std::function<void(const FlushProblem&)>;

  Flusher(std::shared_ptr<BufferSets> sets, std::shared_ptr<Signals> signals,
          std::unique_ptr<LogFile> file, const Config& config);
  ~Flusher();

  Flusher(const Flusher&) = delete;
  Flusher& operator=(const Flusher&) = delete;

  void Start();

  // Any thread: asks for everything accepted so far to be written, and waits. A failed attempt ends
  // the wait.
  IoStatus Flush();

  // Writes everything and ends the thread. Signals::closed is set already. Ok if nothing was left
  // unwritten.
  IoStatus Stop();

  const FlushStats& stats() const { return stats_; }
  IoMode io_mode() const;
  FlushProblem last_problem() const;
  // The problem that somebody who listens from now on has to know: one that lasts. An empty code
  // means none.
  FlushProblem present_problem() const;
  // What is said here shows in last_problem and is told to the callback.
  void Report(const FlushProblem& problem);
  // Listeners are called on the flusher's thread, one after the other, under a lock that Remove
  // takes too: once RemoveListener has returned, the listener is not running and will not run. A
  // problem with an empty code means that writing has succeeded again. `key` identifies the
  // listener.
  void AddListener(const void* key, ProblemCallback listener);
  void RemoveListener(const void* key);
  // Which file the log is now.
  io::FileInfo file_info() const;

 private:
  void Run();
  void PopulateArena();
  bool Step(uint64_t now, uint64_t* next_tick, uint64_t* wake_at);
  bool FlushIsRequested() const;
  IoStatus WriteOldest();
  IoStatus WriteGeneration(uint64_t generation, bool recycle);
  IoStatus WriteSealed(uint64_t generation, BlockTotals* totals);
  void StoreJournal(uint64_t generation, uint64_t size);
  void CountWritten(const BlockTotals& totals);
  void CountSuccess(const BlockTotals& totals, uint64_t started_ns);
  IoStatus Failed(const IoStatus& status);
  IoStatus WriteEverything();
  void GiveUp();
  void PublishIoMode();
  void Tell(const FlushProblem& problem);

  const std::shared_ptr<BufferSets> sets_;
  const std::shared_ptr<Signals> signals_;
  const std::unique_ptr<LogFile> file_;
  const uint64_t flush_interval_ns_;
  const uint64_t flush_timeout_ns_;
  const io::DirectIo direct_;
  BlockWriter writer_;

  // The flusher thread's own.
  std::vector<SealedSegment> sealed_;
  uint64_t sealed_generation_ = kNoGeneration;
  uint64_t sealed_time_ = 0;
  BlockTotals partial_;  // whole blocks that the last write, which failed, has left in the file
  uint64_t retry_at_ns_ = 0;
  uint64_t retry_pause_ns_ = 0;
  std::atomic<bool> failing_{false};  // the flusher's; any thread reads it

  std::atomic<uint64_t> requested_{0};  // generations below it are wanted on the device
  std::atomic<uint64_t> attempts_failed_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ended_{false};  // end_status_ is final
  FlushStats stats_;

  mutable std::mutex mutex_;  // guards what follows
  IoMode io_mode_;
  io::FileInfo file_info_;
  FlushProblem problem_;
  IoStatus end_status_;

  std::mutex listeners_mutex_;
  std::vector<std::pair<const void*, ProblemCallback>> listeners_;

  std::thread thread_;
};

}  // namespace shardlog::engine
