#include "engine/sink.h"

#include <algorithm>

#include "platform/clock.h"
#include "platform/futex.h"

namespace shardlog::engine {

uint64_t FirstTime(const std::vector<SealedSegment>& segments) {
  uint64_t first = UINT64_MAX;
  for (const SealedSegment& segment : segments) {
    // [MM counter] relaxed: published by the accept that the seal has seen.
    first = std::min(first, segment.slot->claimed_time.load(std::memory_order_relaxed));
  }
  return first;
}

Sink::Sink(std::shared_ptr<BufferSets> sets, const Config& config, FlushStats* stats,
           ErrorReporter* errors)
    : sets_(std::move(sets)),
      flush_timeout_ns_(config.flush_timeout_ns),
      content_(config.content),
      path_(config.path),
      stats_(stats),
      errors_(errors) {}

IoStatus Sink::Write(uint64_t generation, bool recycle) {
  const uint64_t started = platform::MonotonicNs();
  if (sealed_generation_ != generation) {
    sealed_ = sets_->Seal(generation, flush_timeout_ns_);
    sealed_generation_ = generation;
    sealed_time_ = platform::RealtimeNs();
    // Words that are gone say that nothing was claimed.
    if (sealed_.empty() && sets_->arena().IsCut()) {
      sealed_generation_ = kNoGeneration;
      return kArenaIsCut;
    }
  }
  BlockTotals totals;
  if (!sealed_.empty()) {
    const IoStatus status = WriteSealed(generation, &totals);
    // It is mended first, and then written again.
    if (!status.ok() && status.error == EFAULT && sets_->arena().IsCut()) return status;
    if (!status.ok()) {
      stats_->flush_errors.Add(1);
      errors_->ReportFailure(ProblemOf(status));
      return status;
    }
    sets_->arena().AddBlocks(totals.blocks);
    if (sets_->arena().is_private()) TakeArenaAway();
  }
  // Whoever waits for this generation finds it counted.
  if (!sealed_.empty()) CountSuccess(totals, started);
  sets_->MarkWritten(generation);
  if (recycle) sets_->Recycle(generation);
  sealed_.clear();
  sealed_generation_ = kNoGeneration;
  return {};
}

// Its file does not know what is in the log from here on, and would repeat it. Up to here it is
// what a kill leaves.
void Sink::TakeArenaAway() {
  Arena& arena = sets_->arena();
  const int error = arena.TakeNameAway();
  if (error == 0) return;
  errors_->Report({"ERR_SHARDLOG_ARENA_LOST",
                   "the arena " + arena.path() +
                       " is out of date and cannot be removed: after a kill its entries may be " +
                       "written twice",
                   arena.path(), -error, "unlink"});
}

void Sink::BeginAnew(const MoveLosses& losses) {
  if (losses.control || losses.begun) GiveUp();
  LookAnew(losses.control);
  sealed_.clear();
  sealed_generation_ = kNoGeneration;
}

uint64_t Sink::WaitBudgetNs(uint64_t) const { return platform::kForever; }

BlockContext Sink::Context(uint64_t generation) const {
  BlockContext context;
  context.generation = generation;
  context.arena = &sets_->arena();
  context.stream = sets_->arena().stream();
  context.sequence = sets_->arena().next_sequence();
  context.first_time = FirstTime(sealed_);
  context.sealed_time = sealed_time_;
  return context;
}

void Sink::CountWritten(const BlockTotals& totals) {
  stats_->bytes_written.Add(totals.bytes);
  stats_->payload_bytes.Add(totals.payload);
  stats_->written_entries.Add(totals.entries);
  for (size_t i = 0; i < totals.entries_of_shard.size(); i++) {
    stats_->entries_of_shard[i].Add(totals.entries_of_shard[i]);
  }
}

void Sink::CountSuccess(const BlockTotals& totals, uint64_t started_ns) {
  CountWritten(totals);
  stats_->flushes.Add(1);
  stats_->durations.Record(platform::MonotonicNs() - started_ns);
  if (totals.damaged != 0) ReportDamage(totals.damaged);
  errors_->ReportSuccess();
}

void Sink::ReportDamage(uint64_t damaged) {
  const bool records = content_ == Content::kRecords;
  if (records) stats_->lost_entries.Add(damaged);
  errors_->Report({"ERR_SHARDLOG_DAMAGED",
                   std::to_string(damaged) +
                       (records ? " records could not be made out"
                                : " segments of the buffers held something else than entries"),
                   path_, 0, ""});
}

}  // namespace shardlog::engine
