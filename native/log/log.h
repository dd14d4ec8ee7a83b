// An open log: the file or stream, the arena, the flusher and the producers, and their counters
// added up.
//
// Thread: Attach, Detach, Flush, Close and the statistics may be called from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/buffer_sets.h"
#include "engine/config.h"
#include "engine/flusher.h"
#include "engine/producer.h"
#include "io/stream.h"
#include "log/log_end.h"
#include "log/recovery.h"

namespace shardlog::engine {

class Log : public LogNumbers {
 public:
  // Opens and locks the file, recovers what a dead process left, makes the arena, starts the
  // flusher. Throws Error. `files` outlives the log.
  static std::shared_ptr<Log> Open(const Config& config,
                                   io::FileSystem* files = &io::PosixFileSystem());
  // A log whose lines go to a stream. Recovers what a dead process left in the arena beside
  // config.recover_to, into that file. Throws Error.
  static std::shared_ptr<Log> Open(const Config& config, std::unique_ptr<io::Stream> stream);

  ~Log() override;
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // A producer for the calling thread. Detach it on the same thread.
  std::shared_ptr<Producer> Attach();
  void Detach(const std::shared_ptr<Producer>& producer);

  // A producer that drops and counts everything, for a handle that is closed.
  std::shared_ptr<Producer> AttachDropping();

  // Producers attached now.
  size_t producers() const;

  // Waits until everything accepted before the call is on the device.
  IoStatus Flush() { return flusher_->Flush(); }

  // Drops from now on, writes everything, removes the arena, and gives its memory back when no
  // producer is attached any more. The statistics keep their last values. Idempotent. What could
  // not be written stays in the arena, if there is a file behind it, for the next opening;
  // otherwise it is counted as dropped.
  IoStatus Close();

  // In the child of fork(): never touches the file or the arena again.
  void AbandonAfterFork();

  const Config& config() const { return config_; }
  Arena& arena() const { return sets_->arena(); }
  const std::shared_ptr<Arena>& shared_arena() const { return sets_->shared_arena(); }
  Flusher& flusher() const { return *flusher_; }
  io::FileInfo file_info() const { return flusher_->file_info(); }

  LogStats Stats() const override;
  std::vector<ShardStats> Shards() const override;
  engine::Durations Durations() const override { return flusher_->stats().durations.Read(); }
  FlushError LastProblem() const override { return flusher_->errors().last(); }
  CrashSafe crash_safe() const override { return config_.crash_safe; }
  const std::string& path() const override { return config_.path; }

  // What says the same when the log itself is gone; null as long as it is not closed, or producers
  // are attached.
  std::shared_ptr<const LogEnd> End();

 private:
  // What the arena's words said last.
  struct LastWords {
    uint64_t active;
    std::vector<double> utilization_pct;
  };

  Log(const Config& config, std::unique_ptr<LogFile>&& file, const RecoveryReport& recovered);
  Log(const Config& config, std::unique_ptr<io::Stream> stream, const RecoveryReport& recovered);
  static std::shared_ptr<Log> OpenLocked(const Config& config, std::unique_ptr<LogFile>&& file);
  void Start(const RecoveryReport& recovered);
  void UpdateLeases();
  void Retire(const std::shared_ptr<Producer>& producer);
  void GiveBackIfUnused();
  LogStats StatsNow() const;
  uint64_t Accepted() const;
  uint64_t LostSince() const;
  std::vector<ShardStats> ShardsNow() const;

  const Config config_;
  std::shared_ptr<BufferSets> sets_;
  std::shared_ptr<Signals> signals_;
  std::unique_ptr<Flusher> flusher_;
  uint64_t recovered_entries_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::shared_ptr<Producer>> producers_;
  std::vector<std::shared_ptr<Producer>> retired_;  // detached, still counting drops
  LogStats past_;                                   // of producers that are gone
  uint32_t next_producer_ = 1;
  bool is_finished_ = false;       // everything is written that is going to be
  IoStatus finish_status_;         // whether that is everything
  std::optional<LastWords> last_;  // the arena's memory is gone
  std::shared_ptr<const LogEnd> end_;

  std::mutex close_mutex_;  // held while Close writes, which may take long; guards what follows
  bool closed_ = false;
  IoStatus close_status_;
};

// Drains whatever dead processes left of the log at `path`, without opening it for logging; with
// `arena_dir`, also what lies there. Throws Error.
std::vector<RecoveryReport> RecoverLog(const std::string& path, const io::OpenOptions& options,
                                       bool force, io::FileSystem* files = &io::PosixFileSystem(),
                                       const std::string& arena_dir = {});

}  // namespace shardlog::engine
