// Writes one generation to the file: seal, journal, blocks, and the set free again.
//
// Thread: the flusher; io_mode() and file_info() any.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/buffer_sets.h"
#include "engine/config.h"
#include "engine/duration_histogram.h"
#include "engine/log_file.h"
#include "engine/problems.h"
#include "engine/producer.h"
#include "engine/set_writer.h"

namespace shardlog::engine {

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

class GenerationWriter {
 public:
  // `stats` and `problems` outlive the writer.
  GenerationWriter(std::shared_ptr<BufferSets> sets, std::unique_ptr<LogFile> file,
                   const Config& config, FlushStats* stats, Problems* problems);

  // Writes a generation below the active one, the oldest that is not written, and marks it so; with
  // `recycle` its set is free afterwards. On failure it stays as it is, sealed, and is written
  // again by the next call.
  IoStatus Write(uint64_t generation, bool recycle);

  // After a failure that is the last: whole blocks that the write has got into the file stay there,
  // and count as written. Returns the number of their entries.
  uint64_t KeepWholeBlocks();

  LogFile& file() const { return *file_; }
  IoMode io_mode() const;
  // Which file the log is now.
  io::FileInfo file_info() const;

 private:
  IoStatus WriteSealed(uint64_t generation, BlockTotals* totals);
  IoStatus WriteBlocks(uint64_t generation, BlockTotals* totals);
  void StoreJournal(uint64_t generation, uint64_t size);
  void CountWritten(const BlockTotals& totals);
  void CountSuccess(const BlockTotals& totals, uint64_t started_ns);
  void ReportDamage(uint64_t damaged);
  IoStatus Failed(const IoStatus& status);
  void PublishIoMode();

  const std::shared_ptr<BufferSets> sets_;
  const std::unique_ptr<LogFile> file_;
  const uint64_t flush_timeout_ns_;
  const io::DirectIo direct_;
  const Content content_;
  FlushStats* const stats_;
  Problems* const problems_;
  const std::unique_ptr<SetWriter> writer_;

  std::vector<SealedSegment> sealed_;
  uint64_t sealed_generation_ = kNoGeneration;
  uint64_t sealed_time_ = 0;
  BlockTotals partial_;  // whole blocks that the last write, which failed, has left in the file

  mutable std::mutex mutex_;  // guards what follows
  IoMode io_mode_;
  io::FileInfo file_info_;
};

}  // namespace shardlog::engine
