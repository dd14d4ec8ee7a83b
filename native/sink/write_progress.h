// How much of the generation that is being written is in the log, exactly; and the arena's journal,
// which tells the same to whoever recovers it.
//
// Thread: the flusher and its writing thread in turn, or recovery.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/arena_layout.h"
#include "engine/io_status.h"
#include "engine/sink.h"
#include "format/block.h"
#include "sink/log_file.h"

namespace shardlog::engine {

class WriteProgress {
 public:
  // `header`: of the arena whose journal is kept, or null.
  explicit WriteProgress(ArenaHeader* header) : header_(header) {}

  // Says that all generations below `generation`, the next to be written, are in `log`. Fails if
  // the log cannot be read, which leaves the journal as it was.
  IoStatus Begin(uint64_t generation, uint64_t sequence, LogFile* log);

  // For recovery: so much of the generation is in the log, however long that is.
  void StartAt(uint64_t done) { done_ = done; }

  // Units of the generation have come into the log: `done` is counted as JournalState::done is;
  // `torn` bytes of the unit behind them are there, too.
  void Advance(LogFile* log, uint64_t done, uint64_t blocks, uint64_t torn);
  // After it: the unit is a block with these bytes of entries, of which readers find what is whole
  // in the log. `slot`: of the segment that the block is; null: its entries are lines.
  void SetTornBlock(const uint8_t* entries, size_t valid, const SegmentSlot* slot);

  // The unit that is torn has to be written from its beginning.
  void ForgetTorn();
  // Somebody has cut the file, of which there may be a copy: of the unit only what readers do not
  // find there is written.
  void TakeTorn();
  // Bytes of entries of this segment that are not to be written.
  size_t SkippedOf(const SegmentSlot* slot) const { return slot == skipped_in_ ? skipped_ : 0; }
  bool is_skipping() const { return skipped_ != 0; }
  // The segment is in the log.
  void EndSkipping() { skipped_ = 0; }

  uint64_t done() const { return done_; }
  uint64_t blocks() const { return blocks_; }
  size_t torn() const { return torn_; }
  BlockTotals& totals() { return totals_; }

 private:
  IoStatus Commit(LogFile* log);

  ArenaHeader* const header_;
  uint64_t generation_ = 0;
  uint64_t sequence_ = 0;  // of the generation's first block
  uint64_t done_ = 0;
  uint64_t blocks_ = 0;
  size_t torn_ = 0;
  format::WholeEntries torn_whole_;
  const SegmentSlot* torn_in_ = nullptr;
  size_t skipped_ = 0;
  const SegmentSlot* skipped_in_ = nullptr;
  BlockTotals totals_;
};

}  // namespace shardlog::engine
