// The thread that writes generations to the log's file or descriptor.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/arena_watch.h"
#include "engine/buffer_sets.h"
#include "engine/config.h"
#include "engine/generation_writer.h"
#include "engine/problems.h"
#include "engine/producer.h"
#include "engine/stream_writer.h"

namespace shardlog::engine {

class Flusher {
 public:
  Flusher(std::shared_ptr<BufferSets> sets, std::shared_ptr<Signals> signals,
          std::unique_ptr<LogFile> file, const Config& config);
  Flusher(std::shared_ptr<BufferSets> sets, std::shared_ptr<Signals> signals,
          std::unique_ptr<io::Stream> stream, const Config& config);
  ~Flusher();

  Flusher(const Flusher&) = delete;
  Flusher& operator=(const Flusher&) = delete;

  void Start();

  // Any thread: asks for everything accepted so far to be written, and waits. A failed attempt ends
  // the wait, as does the outlet's patience.
  IoStatus Flush();

  // Any thread: waits until the log has noticed whether its path names another file now. What fails
  // shows at the next write.
  void LookForFile();

  // In the child of fork(), which has none of the threads: gives the descriptors up.
  void AbandonAfterFork() { outlet_->AbandonAfterFork(); }

  // Writes everything and ends the thread. Signals::closed is set already. Ok if nothing was left
  // unwritten.
  IoStatus Stop();

  const FlushStats& stats() const { return stats_; }
  IoMode io_mode() const;
  // Which file the log is now.
  io::FileInfo file_info() const;
  Problems& problems() { return problems_; }

 private:
  void Run();
  bool Step(uint64_t now, uint64_t* next_tick, uint64_t* wake_at);
  bool TickIsOver(uint64_t active, uint64_t now, uint64_t* next_tick);
  bool FlushIsRequested() const;
  std::shared_ptr<Outlet> outlet() const;
  void ForgetOutlet();
  IoStatus WriteOldest();
  IoStatus WriteAndHandBack(uint64_t generation);
  IoStatus Touch(uint64_t generation);

  const std::shared_ptr<BufferSets> sets_;
  const std::shared_ptr<Signals> signals_;
  const uint64_t flush_interval_ns_;
  FlushStats stats_;
  Problems problems_;
  std::shared_ptr<Outlet> outlet_;  // null after the end; others than the flusher take outlet()

  // The flusher thread's own.
  ArenaWatch watch_;
  uint64_t retry_at_ns_ = 0;
  uint64_t retry_pause_ns_ = 0;

  std::atomic<uint64_t> requested_{0};  // generations below it are wanted on the device
  std::atomic<uint64_t> attempts_failed_{0};
  std::atomic<bool> look_for_file_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ended_{false};  // end_status_ is final

  mutable std::mutex end_mutex_;  // guards what follows, and that outlet_ goes
  IoStatus end_status_;
  IoMode last_io_mode_;
  io::FileInfo last_file_info_;

  std::thread thread_;
};

}  // namespace shardlog::engine
