// The thread that writes generations to the log's file or descriptor.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

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

  // Writes everything and ends the thread. Signals::closed is set already. Ok if nothing was left
  // unwritten.
  IoStatus Stop();

  const FlushStats& stats() const { return stats_; }
  IoMode io_mode() const { return outlet_->io_mode(); }
  // Which file the log is now.
  io::FileInfo file_info() const { return outlet_->file_info(); }
  Problems& problems() { return problems_; }

 private:
  void Run();
  bool Step(uint64_t now, uint64_t* next_tick, uint64_t* wake_at);
  bool TickIsOver(uint64_t active, uint64_t now, uint64_t* next_tick);
  bool FlushIsRequested() const;
  IoStatus WriteOldest();

  const std::shared_ptr<BufferSets> sets_;
  const std::shared_ptr<Signals> signals_;
  const uint64_t flush_interval_ns_;
  FlushStats stats_;
  Problems problems_;
  const std::unique_ptr<Outlet> outlet_;

  // The flusher thread's own.
  uint64_t retry_at_ns_ = 0;
  uint64_t retry_pause_ns_ = 0;

  std::atomic<uint64_t> requested_{0};  // generations below it are wanted on the device
  std::atomic<uint64_t> attempts_failed_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ended_{false};  // end_status_ is final

  std::mutex end_mutex_;  // guards what follows
  IoStatus end_status_;

  std::thread thread_;
};

}  // namespace shardlog::engine
