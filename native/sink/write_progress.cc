#include "sink/write_progress.h"

#include <algorithm>
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

void WriteProgress::SetTornBlock(const uint8_t* entries, size_t valid, const SegmentSlot* slot) {
  if (torn_ <= format::kBlockHeaderBytes) return;
  const size_t there = torn_ - format::kBlockHeaderBytes;
  torn_whole_ = format::FindWholeEntries(entries, std::min(there, valid));
  torn_in_ = slot;
}

void WriteProgress::TakeTorn() {
  const auto [bytes, entries] = torn_whole_;
  ForgetTorn();
  if (entries == 0) return;
  if (torn_in_ != nullptr) {
    skipped_ = SkippedOf(torn_in_) + bytes;
    skipped_in_ = torn_in_;
    return;
  }
  // The journal says so with the next that is whole: what it says now proves where the copy ends.
  done_ += entries;
  totals_.entries += entries;
  totals_.payload += bytes - entries * format::kEntryPrefixBytes;
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
