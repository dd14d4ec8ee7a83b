#include "sink/file_sink.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace shardlog::engine {
namespace {

// One after the other, in one attempt.
constexpr int kMostCuts = 3;

}  // namespace

FileSink::FileSink(std::shared_ptr<BufferSets> sets, std::unique_ptr<LogFile> file,
                   const Config& config, FlushStats* stats, ErrorReporter* errors)
    : Sink(std::move(sets), config, stats, errors),
      file_(std::move(file)),
      direct_(config.io.direct),
      content_(config.content),
      writer_(MakeGenerationEncoder(config.content, config.format, this->sets().geometry(),
                                    Overlap::kYes)),
      progress_(&this->sets().arena().header()) {
  PublishIoMode();
  // A log that cannot be read has no proof of its end; recovery compares more lines then.
  static_cast<void>(progress_.Begin(this->sets().active(), 0, file_.get()));
}

IoStatus FileSink::WriteSealed(uint64_t generation, BlockTotals* totals) {
  IoStatus status = TryToWrite(generation, totals);
  // What was in the file is looked at anew, as before any attempt.
  for (int i = 0; i < kMostCuts && status.call == kLogIsCut.call; i++) {
    status = TryToWrite(generation, totals);
  }
  return status;
}

IoStatus FileSink::TryToWrite(uint64_t generation, BlockTotals* totals) {
  Begin(generation);
  LogFile::Change change;
  IoStatus status = file_->Check(progress_.torn(), &change);
  if (change.reopened) {
    stats().reopens.Add(1);
    sets().arena().SetLog(file_->info());
    PublishIoMode();
  }
  // What was in a deleted file is nowhere.
  if (change.deleted && !file_->HasOld()) StartOver(generation);
  // The old file has what is torn: nobody has cut it, or appended behind it, as far as is known.
  if (change.cut && !file_->HasOld()) progress_.TakeTorn();
  if ((change.moved || change.reopened) && !file_->HasOld()) progress_.ForgetTorn();
  if (!status.ok()) return status;
  StoreJournal(generation, change.reopened);
  status = writer_->Write(file_.get(), Context(generation), sealed(), &progress_, nullptr);
  if (status.ok()) {
    *totals = progress_.totals();
    const uint64_t next = sets().arena().next_sequence() + totals->blocks;
    begun_ = generation + 1;
    static_cast<void>(progress_.Begin(begun_, next, file_.get()));  // as at the opening
    return status;
  }
  if (status.error != EINVAL || direct_ != io::DirectIo::kAuto || !file_->direct()) return status;
  status = file_->FallBackToBuffered("the file system refused a direct write (EINVAL)");
  PublishIoMode();
  return status.ok() ? TryToWrite(generation, totals) : status;
}

void FileSink::LookForFile() {
  // A generation that is half written is gone on with first.
  if (sets().recycled() < sets().active() || progress_.torn() != 0) return;
  LogFile::Change change;
  static_cast<void>(file_->Check(false, &change));
  if (!change.reopened) return;
  stats().reopens.Add(1);
  sets().arena().SetLog(file_->info());
  PublishIoMode();
}

void FileSink::StartOver(uint64_t generation) {
  for (const SealedSegment& segment : sealed()) segment.slot->in_log = 0;
  begun_ = kNoGeneration;
  Begin(generation);
}

// The first attempt at a generation.
void FileSink::Begin(uint64_t generation) {
  if (begun_ == generation) return;
  begun_ = generation;
  const uint64_t sequence = sets().arena().next_sequence();
  static_cast<void>(progress_.Begin(generation, sequence, file_.get()));  // as at the opening
}

// Says where the generation is going to be written, for readers that look into the arena: once, and
// `anew` when that is another file.
void FileSink::StoreJournal(uint64_t generation, bool anew) {
  ArenaHeader& header = sets().arena().header();
  Journal& journal = header.journal;
  // [MM journal] relaxed: nobody else writes it.
  if (!anew && journal.generation.load(std::memory_order_relaxed) == generation) return;
  // [MM journal] release: generation last, so that the fields are never taken for another one's.
  journal.generation.store(kNoGeneration, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // [MM journal]
  journal.base = file_->end();
  journal.sequence = sets().arena().next_sequence();
  journal.sealed_time = sealed_time();
  journal.generation.store(generation, std::memory_order_release);  // [MM journal]
}

// Lines of several segments come in one order, which is another one without some of them.
bool FileSink::HasBegun(uint64_t generation) const {
  const bool is_in_part = progress_.done() != 0 || progress_.torn() != 0;
  return content_ == Content::kRecords && begun_ == generation && is_in_part;
}

void FileSink::GiveUp() {
  CountWritten(progress_.totals());
  sets().arena().AddBlocks(progress_.totals().blocks);
  progress_.totals() = {};
  begun_ = kNoGeneration;
  GiveUpTorn();
}

// A block becomes fill; a line, whose rest is nowhere, is ended.
void FileSink::GiveUpTorn() {
  if (progress_.torn() == 0) return;
  if (file_->HasOld()) {
    progress_.ForgetTorn();
    return;
  }
  static_cast<void>(file_->format() == Format::kNdjson
                        ? file_->FindEnd()
                        : file_->Disown(file_->end(), progress_.torn()));
  progress_.ForgetTorn();
}

void FileSink::LookAnew(bool control) {
  // Segments say themselves whether they are in the log: it goes on with the others.
  if (content_ == Content::kEntries) GiveUp();
  if (!control) return;
  begun_ = sets().written();
  // As at the opening.
  static_cast<void>(progress_.Begin(begun_, sets().arena().next_sequence(), file_.get()));
}

FlushError FileSink::ProblemOf(const IoStatus& status) const {
  return {"ERR_SHARDLOG_WRITE",
          std::string("writing ") + file_->path() + " failed: " + status.call + ": " +
              std::strerror(status.error) + "; the entries are kept and tried again",
          file_->path(), status.error, status.call};
}

uint64_t FileSink::CommitPartial() {
  CountWritten(progress_.totals());
  return progress_.totals().entries;
}

void FileSink::Close() {
  // Its buffers go now: JavaScript's handles may keep us until they are collected.
  writer_.reset();
  file_->Close();
}

void FileSink::PublishIoMode() {
  const std::lock_guard<std::mutex> lock(mutex_);
  io_mode_.reason = file_->direct_reason();
  io_mode_.direct = io_mode_.reason.empty();
  if (file_->file() != nullptr) io_mode_.alignment = file_->file()->alignment();
  file_info_ = file_->info();
}

IoMode FileSink::io_mode() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return io_mode_;
}

io::FileInfo FileSink::file_info() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return file_info_;
}

}  // namespace shardlog::engine
