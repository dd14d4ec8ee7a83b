// The thread that writes generations to the log's file or descriptor.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/arena_watch.h"
#include "engine/buffer_sets.h"
#include "engine/config.h"
#include "engine/error_reporter.h"
#include "engine/producer.h"
#include "engine/sink.h"

namespace shardlog::engine {

class Flusher {
 public:
  // Makes the sink; `stats` and `errors` outlive it.
  using OpenSink = std::function<std::unique_ptr<Sink>(FlushStats* stats, ErrorReporter* errors)>;

  Flusher(std::shared_ptr<BufferSets> sets, std::shared_ptr<Signals> signals, const Config& config,
          const OpenSink& open);
  ~Flusher();

  Flusher(const Flusher&) = delete;
  Flusher& operator=(const Flusher&) = delete;

  // How many entries producers have had accepted so far. Before Start.
  void set_count_accepted(std::function<uint64_t()> count) { count_accepted_ = std::move(count); }

  void Start();

  // Any thread: asks for everything accepted so far to be written, and waits. A failed attempt ends
  // the wait, as does the sink's wait budget.
  IoStatus Flush();

  // As Flush, but without waiting: `settle` is called once, by the flusher's thread, or by this one
  // if there is nothing to wait for. It does not call back.
  using Settle = std::function<void(const IoStatus&)>;
  void FlushThen(Settle settle);

  // As Flush, where nothing is left to do but to wait for it: for a reader, as long as the end may
  // take. *broken: that was not long enough, and what is left will not be written.
  IoStatus FlushAtEnd(bool* broken);

  // Any thread: waits until the log has noticed whether its path names another file now. What fails
  // shows at the next write.
  void LookForFile();

  // In the child of fork(), which has none of the threads: gives the descriptors up.
  void AbandonAfterFork() {
    // [MM event-signal] release: there is no other thread any more.
    abandoned_.store(true, std::memory_order_release);
    ended_.store(true, std::memory_order_release);  // [MM event-signal] release: the same
    sink_->AbandonAfterFork();
  }

  // Writes everything and ends the thread. Signals::closed is set already. Ok if nothing was left
  // unwritten.
  IoStatus Stop();

  const FlushStats& stats() const { return stats_; }
  IoMode io_mode() const { return sink_->io_mode(); }
  // Which file the log is now.
  io::FileInfo file_info() const { return sink_->file_info(); }
  ErrorReporter& errors() { return errors_; }

 private:
  // A flush that somebody waits for.
  struct Wanted {
    uint64_t target = 0;         // generations below it
    uint64_t failed_before = 0;  // attempts
    uint64_t moves_before = 0;   // of the arena
    uint64_t lost_before = 0;    // in cuts
    uint64_t since_ns = 0;
    Settle settle;  // of FlushThen
  };

  Wanted Want();
  void Aim(Wanted* wanted);
  bool IsLost(const Wanted& wanted) const;
  bool IsMoving(const Wanted& wanted) const;
  bool IsSettled(Wanted* wanted, IoStatus* status);
  void SettleWaiters();
  uint64_t SettleOverBudget();
  void Run();
  void FailFlushes();
  void SayLost(uint64_t entries) const;
  bool Step(uint64_t now, uint64_t* next_tick, uint64_t* wake_at);
  bool TickIsOver(uint64_t active, uint64_t now, uint64_t* next_tick);
  bool FlushIsRequested() const;
  IoStatus WriteOldest();
  IoStatus WriteWhole();
  uint64_t SettleMove(const MoveLosses& losses);
  uint64_t CountLost(const MoveLosses& losses);
  IoStatus WriteAndHandBack(uint64_t generation);
  IoStatus Touch(uint64_t generation);
  void LookIfAsked();

  const std::shared_ptr<BufferSets> sets_;
  const std::shared_ptr<Signals> signals_;
  const uint64_t flush_interval_ns_;
  const std::string name_;
  FlushStats stats_;
  ErrorReporter errors_;
  const std::unique_ptr<Sink> sink_;
  std::function<uint64_t()> count_accepted_;

  // The flusher thread's own.
  ArenaWatch watch_;
  uint64_t retry_at_ns_ = 0;
  uint64_t retry_pause_ns_ = 0;

  std::atomic<uint64_t> requested_{0};  // generations below it are wanted on the device
  std::atomic<uint64_t> attempts_failed_{0};
  std::atomic<uint64_t> moves_begun_{0};  // of the arena
  std::atomic<uint64_t> moves_done_{0};
  std::atomic<uint64_t> lost_in_cuts_{0};  // entries
  std::atomic<uint32_t> awaited_{0};       // flushes that somebody waits for
  std::atomic<uint64_t> looks_wanted_{0};  // of LookForFile
  std::atomic<uint64_t> looks_done_{0};    // so many of those were asked for before the last look
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ended_{false};      // end_status_ is final
  std::atomic<bool> abandoned_{false};  // in the child of fork()

  std::mutex end_mutex_;  // guards what follows
  IoStatus end_status_;

  std::mutex waiters_mutex_;  // guards what follows
  std::vector<Wanted> waiters_;

  std::thread thread_;
};

}  // namespace shardlog::engine
