#include "engine/generation_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace shardlog::engine {
namespace {

// Of a write during which somebody cut the file. Who does so all the time may have his zeroes.
constexpr int kMostRepeats = 8;

}  // namespace

GenerationWriter::GenerationWriter(std::shared_ptr<BufferSets> sets, std::unique_ptr<LogFile> file,
                                   const Config& config, FlushStats* stats, Problems* problems)
    : Outlet(std::move(sets), config, stats, problems),
      file_(std::move(file)),
      direct_(config.io.direct),
      writer_(MakeSetWriter(config.content, config.form, this->sets().geometry(), Overlap::kYes)) {
  PublishIoMode();
}

IoStatus GenerationWriter::WriteSealed(uint64_t generation, BlockTotals* totals) {
  IoStatus status = CheckFile();
  if (!status.ok()) return status;
  status = WriteBlocks(generation, totals);
  if (status.error != EINVAL || direct_ != io::DirectIo::kAuto || !file_->file()->direct())
    return status;
  status = file_->FallBackToBuffered("the file system refused a direct write (EINVAL)");
  PublishIoMode();
  return status.ok() ? WriteSealed(generation, totals) : status;
}

IoStatus GenerationWriter::CheckFile() {
  bool reopened = false;
  const IoStatus status = file_->Check(&reopened);
  if (reopened) {
    stats().reopens.Add(1);
    PublishIoMode();
  }
  return status;
}

IoStatus GenerationWriter::WriteBlocks(uint64_t generation, BlockTotals* totals) {
  for (int attempt = 0;; attempt++) {
    const IoStatus status = WriteOnce(generation, totals);
    if (!status.ok()) return status;
    if (attempt < kMostRepeats && file_->UndoIfCut()) continue;
    file_->Advance(totals->bytes);
    return status;
  }
}

IoStatus GenerationWriter::WriteOnce(uint64_t generation, BlockTotals* totals) {
  const uint64_t size = writer_->MostBytes(sealed(), file_->file()->alignment());
  partial_ = {};
  StoreJournal(generation, size);
  // `size` is a bound, which for lines is far beyond what they take.
  const uint64_t set_bytes = sets().geometry().set_bytes();
  file_->ReserveAhead(std::min(size, set_bytes), set_bytes);
  file_->BeginLines();
  const IoStatus status =
      writer_->Write(file_->file(), file_->end(), Context(generation), sealed(), totals);
  if (!status.ok()) {
    partial_ = *totals;
    file_->FailedWrite(size);
  }
  return status;
}

// Says where the generation is going to be written, so that recovery repeats the write instead of
// adding to it.
void GenerationWriter::StoreJournal(uint64_t generation, uint64_t size) {
  ArenaHeader& header = sets().arena().header();
  Journal& journal = header.journal;
  // [MM journal] release: generation last, so that the fields are never taken for another one's.
  journal.generation.store(kNoGeneration, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // [MM journal]
  sets().arena().SetLog(file_->info());
  journal.base = file_->end();
  journal.sequence = header.next_sequence;
  journal.sealed_time = sealed_time();
  journal.limit = file_->end() + size;
  journal.generation.store(generation, std::memory_order_release);  // [MM journal]
}

FlushProblem GenerationWriter::ProblemOf(const IoStatus& status) const {
  return {"ERR_SHARDLOG_WRITE",
          std::string("writing ") + file_->path() + " failed: " + status.call + ": " +
              std::strerror(status.error) + "; the entries are kept and tried again",
          file_->path(), status.error, status.call};
}

uint64_t GenerationWriter::KeepOfFailed() {
  CountWritten(partial_);
  file_->KeepOfFailedWrite(partial_.bytes);
  return partial_.entries;
}

void GenerationWriter::Close() {
  writer_->EndThread();
  file_->Close();
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
