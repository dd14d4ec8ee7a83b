#include "sink/write_progress.h"

#include <cerrno>

#include "engine/journal.h"

namespace shardlog::engine {

IoStatus WriteProgress::Begin(uint64_t generation, uint64_t sequence, LogFile* log) {
  generation_ = generation;
  sequence_ = sequence;
  done_ = blocks_ = skipped_ = 0;
  ForgetTorn();
  totals_ = {};
  return Commit(log);
}

void WriteProgress::ForgetTorn() {
  torn_ = 0;
  torn_whole_ = {};
}

// The journal says so with the next that is whole: what it says now proves where the copy ends.
void WriteProgress::TakeTornLines() {
  const auto [bytes, lines] = torn_whole_;
  ForgetTorn();
  if (lines == 0) return;
  done_ += lines;
  totals_.entries += lines;
  totals_.payload += bytes - lines * format::kEntryPrefixBytes;
}

void WriteProgress::SetTornWhole(const format::WholeEntries& whole, const SegmentSlot* slot) {
  torn_whole_ = whole;
  torn_in_ = slot;
}

void WriteProgress::TakeTornEntries() {
  if (torn_whole_.bytes != 0) {
    skipped_ = SkippedOf(torn_in_) + torn_whole_.bytes;
    skipped_in_ = torn_in_;
  }
  ForgetTorn();
}

void WriteProgress::Advance(LogFile* log, uint64_t done, uint64_t blocks, uint64_t torn) {
  done_ += done;
  blocks_ += blocks;
  ForgetTorn();
  torn_ = torn;
  if (done == 0 && blocks == 0) return;
  // Without it, recovery compares more lines with the log, and comes to the same end.
  static_cast<void>(Commit(log));
}

IoStatus WriteProgress::Commit(LogFile* log) {
  if (header_ == nullptr) return {};
  if (log->file() == nullptr) return {EBADF, "fstat"};
  JournalState state{};
  LogTail::Proof proof;
  const IoStatus status = log->Proof(torn_, &proof);
  if (!status.ok()) return status;
  state.generation = generation_;
  state.done = done_;
  state.blocks = blocks_;
  state.sequence = sequence_ + blocks_;
  state.end = log->end() - torn_;
  state.tail_bytes = proof.bytes;
  state.tail_crc = proof.crc;
  StoreJournalState(header_, state);
  return {};
}

}  // namespace shardlog::engine
