// What is left of a log that has ended: what its statistics say. Handles that JavaScript has closed
// keep this until they are collected, and nothing else of the log.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/config.h"
#include "engine/duration_histogram.h"
#include "engine/error_reporter.h"
#include "engine/io_status.h"
#include "engine/producer.h"
#include "engine/sink.h"

namespace shardlog::engine {

// The numbers of lib/types.ts StatsSnapshot that the engine knows.
struct LogStats {
  uint64_t total_logs = 0;
  uint64_t dropped_logs = 0;
  uint64_t oversized_logs = 0;
  uint64_t empty_logs = 0;
  uint64_t blocked_logs = 0;
  uint64_t bytes_written = 0;
  uint64_t payload_bytes = 0;
  uint64_t written_logs = 0;
  uint64_t flushes = 0;
  uint64_t flush_errors = 0;
  uint64_t set_swaps = 0;
  uint64_t recovered_logs = 0;
  uint64_t reopens = 0;
  uint64_t producers = 0;
  std::string arena_path;
  IoMode io;
  FlushError last_problem;

  void Add(const Producer& producer);
};

struct ShardStats {
  uint32_t shard = 0;
  double utilization_pct = 0;
  uint64_t write_count = 0;
};

// What a log says of itself, open or ended.
//
// Thread: any.
class LogNumbers {
 public:
  virtual ~LogNumbers() = default;
  virtual LogStats Stats() const = 0;
  virtual std::vector<ShardStats> Shards() const = 0;
  virtual engine::Durations Durations() const = 0;
  virtual FlushError LastProblem() const = 0;
  virtual CrashSafe crash_safe() const = 0;
  virtual const std::string& path() const = 0;
};

class LogEnd : public LogNumbers {
 public:
  struct Last {
    LogStats stats;  // but for `counting`
    std::vector<ShardStats> shards;
    engine::Durations durations;
    CrashSafe crash_safe;
    std::string path;
    IoStatus status;                                  // of the close
    std::vector<std::shared_ptr<Producer>> counting;  // of closed handles, which count drops
  };
  explicit LogEnd(Last last) : last_(std::move(last)) {}

  LogStats Stats() const override;
  std::vector<ShardStats> Shards() const override { return last_.shards; }
  engine::Durations Durations() const override { return last_.durations; }
  FlushError LastProblem() const override { return last_.stats.last_problem; }
  CrashSafe crash_safe() const override { return last_.crash_safe; }
  const std::string& path() const override { return last_.path; }
  const IoStatus& status() const { return last_.status; }

 private:
  const Last last_;
};

}  // namespace shardlog::engine
