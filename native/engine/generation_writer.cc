#include "engine/generation_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "platform/clock.h"

namespace shardlog::engine {

GenerationWriter::GenerationWriter(std::shared_ptr<BufferSets> sets, std::unique_ptr<LogFile> file,
                                   const Config& config, FlushStats* stats, Problems* problems)
    : sets_(std::move(sets)),
      file_(std::move(file)),
      flush_timeout_ns_(config.flush_timeout_ns),
      direct_(config.io.direct),
      content_(config.content),
      stats_(stats),
      problems_(problems),
      writer_(MakeSetWriter(config.content, config.form, sets_->geometry())) {
  PublishIoMode();
}

IoStatus GenerationWriter::Write(uint64_t generation, bool recycle) {
  const uint64_t started = platform::MonotonicNs();
  if (sealed_generation_ != generation) {
    sealed_ = sets_->Seal(generation, flush_timeout_ns_);
    sealed_generation_ = generation;
    sealed_time_ = platform::RealtimeNs();
  }
  BlockTotals totals;
  if (!sealed_.empty()) {
    const IoStatus status = WriteSealed(generation, &totals);
    if (!status.ok()) return Failed(status);
    sets_->arena().header().next_sequence += totals.blocks;
  }
  sets_->MarkWritten(generation);
  if (recycle) sets_->Recycle(generation);
  if (!sealed_.empty()) CountSuccess(totals, started);
  sealed_.clear();
  sealed_generation_ = kNoGeneration;
  return {};
}

IoStatus GenerationWriter::WriteSealed(uint64_t generation, BlockTotals* totals) {
  bool reopened = false;
  IoStatus status = file_->Check(&reopened);
  if (reopened) {
    stats_->reopens.Add(1);
    PublishIoMode();
  }
  if (!status.ok()) return status;
  status = WriteBlocks(generation, totals);
  if (status.error != EINVAL || direct_ != io::DirectIo::kAuto || !file_->file()->direct())
    return status;
  status = file_->FallBackToBuffered("the file system refused a direct write (EINVAL)");
  PublishIoMode();
  return status.ok() ? WriteSealed(generation, totals) : status;
}

IoStatus GenerationWriter::WriteBlocks(uint64_t generation, BlockTotals* totals) {
  const uint64_t size = writer_->MostBytes(sealed_, file_->file()->alignment());
  partial_ = {};
  StoreJournal(generation, size);
  // `size` is a bound, which for lines is far beyond what they take.
  const uint64_t set_bytes = sets_->geometry().set_bytes();
  file_->ReserveAhead(std::min(size, set_bytes), set_bytes);
  BlockContext context;
  context.generation = generation;
  context.stream = sets_->arena().header().stream;
  context.sequence = sets_->arena().header().next_sequence;
  context.first_time = FirstTime(sealed_);
  context.sealed_time = sealed_time_;
  const IoStatus status = writer_->Write(file_->file(), file_->end(), context, sealed_, totals);
  if (status.ok()) {
    file_->Advance(totals->bytes);
  } else {
    partial_ = *totals;
    file_->FailedWrite(size);
  }
  return status;
}

// Says where the generation is going to be written, so that recovery repeats the write instead of
// adding to it.
void GenerationWriter::StoreJournal(uint64_t generation, uint64_t size) {
  ArenaHeader& header = sets_->arena().header();
  Journal& journal = header.journal;
  // [MM journal] release: generation last, so that the fields are never taken for another one's.
  journal.generation.store(kNoGeneration, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // [MM journal]
  sets_->arena().SetLog(file_->info());
  journal.base = file_->end();
  journal.sequence = header.next_sequence;
  journal.sealed_time = sealed_time_;
  journal.limit = file_->end() + size;
  journal.generation.store(generation, std::memory_order_release);  // [MM journal]
}

void GenerationWriter::CountWritten(const BlockTotals& totals) {
  stats_->bytes_written.Add(totals.bytes);
  stats_->payload_bytes.Add(totals.payload);
  stats_->written_entries.Add(totals.entries);
  for (size_t i = 0; i < totals.entries_of_shard.size(); i++) {
    stats_->entries_of_shard[i].Add(totals.entries_of_shard[i]);
  }
}

void GenerationWriter::CountSuccess(const BlockTotals& totals, uint64_t started_ns) {
  CountWritten(totals);
  stats_->flushes.Add(1);
  stats_->durations.Record(platform::MonotonicNs() - started_ns);
  if (totals.damaged != 0) ReportDamage(totals.damaged);
  problems_->ReportSuccess();
}

void GenerationWriter::ReportDamage(uint64_t damaged) {
  const bool records = content_ == Content::kRecords;
  if (records) stats_->lost_entries.Add(damaged);
  problems_->Report({"ERR_SHARDLOG_DAMAGED",
                     std::to_string(damaged) +
                         (records ? " records could not be made out"
                                  : " segments of the buffers held something else than entries"),
                     file_->path(), 0, ""});
}

IoStatus GenerationWriter::Failed(const IoStatus& status) {
  stats_->flush_errors.Add(1);
  problems_->ReportFailure({"ERR_SHARDLOG_WRITE",
                            std::string("writing ") + file_->path() + " failed: " + status.call +
                                ": " + std::strerror(status.error) +
                                "; the entries are kept and tried again",
                            file_->path(), status.error, status.call});
  return status;
}

uint64_t GenerationWriter::KeepWholeBlocks() {
  CountWritten(partial_);
  file_->KeepOfFailedWrite(partial_.bytes);
  return partial_.entries;
}

void GenerationWriter::PublishIoMode() {
  const std::lock_guard<std::mutex> lock(mutex_);
  io_mode_.reason = file_->direct_reason();
  io_mode_.direct = io_mode_.reason.empty();
  if (file_->file() != nullptr) io_mode_.alignment = file_->file()->alignment();
  file_info_ = file_->info();
}

IoMode GenerationWriter::io_mode() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return io_mode_;
}

io::FileInfo GenerationWriter::file_info() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return file_info_;
}

}  // namespace shardlog::engine
