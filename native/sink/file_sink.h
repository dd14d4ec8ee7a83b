// Writes generations to the log's file: journal, blocks or lines, and what a file needs around
// them.
//
// Thread: the flusher; io_mode() and file_info() any.
#pragma once

#include <memory>
#include <mutex>

#include "engine/sink.h"
#include "sink/generation_encoder.h"
#include "sink/log_file.h"
#include "sink/write_progress.h"

namespace shardlog::engine {

class FileSink final : public Sink {
 public:
  // `stats` and `errors` outlive the writer.
  FileSink(std::shared_ptr<BufferSets> sets, std::unique_ptr<LogFile> file, const Config& config,
           FlushStats* stats, ErrorReporter* errors);

  // Whole blocks stay in the file.
  uint64_t CommitPartial() override;
  bool HasBegun(uint64_t generation) const override;
  void Finish() override {}
  void LookForFile() override;
  void AbandonAfterFork() override { file_->AbandonAfterFork(); }
  void Close() override;

  IoMode io_mode() const override;
  io::FileInfo file_info() const override;

 protected:
  void GiveUp() override;
  void LookAnew(bool control) override;
  IoStatus WriteSealed(uint64_t generation, BlockTotals* totals) override;
  FlushError ProblemOf(const IoStatus& status) const override;

 private:
  void Begin(uint64_t generation);
  void StartOver(uint64_t generation);
  IoStatus TryToWrite(uint64_t generation, BlockTotals* totals);
  void GiveUpTorn();
  void StoreJournal(uint64_t generation, bool anew);
  void PublishIoMode();

  const std::unique_ptr<LogFile> file_;
  const io::DirectIo direct_;
  const Content content_;
  std::unique_ptr<GenerationEncoder> writer_;  // null: closed
  WriteProgress progress_;
  uint64_t begun_ = kNoGeneration;  // the generation of which progress_ tells

  mutable std::mutex mutex_;  // guards what follows
  IoMode io_mode_;
  io::FileInfo file_info_;
};

}  // namespace shardlog::engine
