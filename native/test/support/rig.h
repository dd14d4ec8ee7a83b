// Buffer sets and producers without a flusher: the test itself decides when a set is sealed,
// written and recycled.
#pragma once

#include <memory>
#include <string>

#include "sink/block_encoder.h"
#include "engine/buffer_sets.h"
#include "engine/config.h"
#include "sink/log_file.h"
#include "engine/producer.h"
#include "support/plain_log.h"
#include "support/temp_dir.h"

namespace shardlog::test {

// `shards` shards of 64 KiB: 16 segments of 4 KiB each. Buffered I/O, no timer, no arena file.
engine::Config SmallConfig(const std::string& path, uint32_t shards);

class Rig {
 public:
  explicit Rig(uint32_t shards = 1,
               engine::ShardSelection selection = engine::ShardSelection::kAffinity,
               uint64_t first_generation = 0,
               engine::CrashSafe crash_safe = engine::CrashSafe::kOff);

  engine::BufferSets& sets() { return *sets_; }
  engine::Signals& signals() { return *signals_; }
  engine::Arena& arena() { return sets_->arena(); }
  const engine::Geometry& geometry() { return sets_->geometry(); }
  // `in_pages`, `content`: see Producer.
  std::unique_ptr<engine::Producer> NewProducer(
      bool in_pages = false, engine::Content content = engine::Content::kEntries);

  // Swaps if `generation` is the active one.
  void Swap(uint64_t generation) { sets_->TrySwap(generation); }
  // Seals the generation and appends its blocks to the log.
  void Write(uint64_t generation);
  // Writes and recycles the oldest generation that is not recycled.
  void FlushOldest();
  // What a flusher does for flush(): everything up to now.
  void Flush();
  // Everything written so far, by the plain reader, which must not have had a complaint.
  PlainLog Log();

 private:
  TempDir directory_;
  engine::Config config_;
  std::shared_ptr<engine::BufferSets> sets_;
  std::shared_ptr<engine::Signals> signals_;
  std::unique_ptr<engine::LogFile> file_;
  uint64_t sequence_ = 0;
  uint32_t next_id_ = 1;
};

}  // namespace shardlog::test
