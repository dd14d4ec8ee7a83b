#include "log/recovery_pass.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/arena.h"
#include "engine/error.h"
#include "platform/clock.h"
#include "sink/append_point.h"
#include "sink/torn_block.h"

namespace shardlog::engine {
namespace {

// How much before the end that the journal tells of is searched for what an arena of another boot
// holds: pages that are older than the others hold the generation before last.
constexpr uint64_t kMinStaleBytes = uint64_t{64} << 20;
constexpr uint64_t kStaleSets = 16;

}  // namespace

void ThrowRecoveryError(const IoStatus& status, const std::string& path) {
  throw Error("ERR_SHARDLOG_RECOVERY",
              std::string("recovery into ") + path + " failed: " + status.call + ": " +
                  std::strerror(status.error) + "; the arena is kept",
              status.error, status.call, path);
}

void ThrowUnlessOk(const IoStatus& status, const std::string& path) {
  if (!status.ok()) ThrowRecoveryError(status, path);
}

void RecoveryPass::Run() {
  LoadState();
  sources_ = FindSources(log_, header(), has_state_ ? &state_ : nullptr, trust_ == Trust::kForced);
  if (trust_ == Trust::kProven && !sources_.proven) {
    throw NotProven{
        "it was left by another boot of this machine, and the log does not prove that it is its "
        "own"};
  }
  Seal();
  sequence_ = has_state_ ? state_.sequence : header().next_sequence;
  FindWritten();
  if (trust_ == Trust::kProven) CheckNew();
  sets_.arena().KeepChanges();
  if (sets_.arena().IsCut()) ThrowRecoveryError(kArenaIsCut, log_->path());
  WriteMissing();
}

void RecoveryPass::LoadState() {
  if (header().version == 1) {
    LoadStateOfVersion1();
    return;
  }
  has_state_ = LoadJournalState(header(), &state_);
  if (!has_state_) state_ = {};
}

void RecoveryPass::LoadStateOfVersion1() {
  const Journal& journal = header().journal;
  // [MM journal] acquire: pairs with the store that the flusher or an earlier recovery did last.
  const uint64_t generation = journal.generation.load(std::memory_order_acquire);
  const bool was_writing = generation != kNoGeneration && generation >= sets_.written();
  const bool same =
      header().log_device == log_->info().device && header().log_inode == log_->info().inode;
  state_ = {};
  state_.generation = sets_.written();
  state_.sequence = was_writing ? journal.sequence : header().next_sequence;
  state_.end = was_writing ? journal.base : LogSize();
  has_state_ = same || !was_writing;
}

uint64_t RecoveryPass::LogSize() const {
  io::FileInfo info;
  const int error = log_->file()->Stat(&info);
  if (error != 0) ThrowRecoveryError({-error, "fstat"}, log_->path());
  return info.size;
}

void RecoveryPass::Seal() {
  const uint64_t active = sets_.active();
  const uint64_t first = std::max(sets_.written(), state_.generation);
  for (uint64_t g = first; g <= active; g++) {
    Generation generation{g, 0, sets_.Seal(g, 0), {}};
    // Nobody is left to scribble.
    for (SealedSegment& segment : generation.segments) segment.leased = false;
    DropImpossible(&generation.segments);
    if (g == state_.generation && trust_ != Trust::kForced) generation.done = state_.done;
    generations_.push_back(std::move(generation));
  }
  if (trust_ == Trust::kProven && report_->damaged != 0) {
    throw NotProven{"it was left by another boot of this machine, and is damaged"};
  }
}

void RecoveryPass::DropImpossible(std::vector<SealedSegment>* segments) {
  const Geometry& g = sets_.geometry();
  const auto impossible = [&](const SealedSegment& s) {
    // [MM counter] relaxed: nobody else runs.
    const uint64_t span = s.slot->span.load(std::memory_order_relaxed);
    return span == 0 || s.segment + span > g.segments_per_shard ||
           format::kBlockHeaderBytes + uint64_t{s.valid} > span * g.segment_bytes;
  };
  report_->damaged += std::erase_if(*segments, impossible);
}

BlockContext RecoveryPass::ContextOf(uint64_t generation,
                                     const std::vector<SealedSegment>& segments) const {
  BlockContext context;
  context.generation = generation;
  context.arena = &sets_.arena();
  context.stream = header().stream;
  context.sequence = sequence_;
  context.first_time = FirstTime(segments);
  context.sealed_time = platform::RealtimeNs();
  context.flags = format::kFlagRecovered;
  return context;
}

void RecoveryPass::Write(const Generation& generation, GenerationEncoder* writer,
                         LinesInLog* in_log) {
  if (generation.segments.empty()) return;
  WriteProgress progress(nullptr);
  progress.StartAt(generation.done);
  const IoStatus status = writer->Write(log_, ContextOf(generation.number, generation.segments),
                                        generation.segments, &progress, in_log);
  ThrowUnlessOk(status, log_->path());
  const BlockTotals& totals = progress.totals();
  sequence_ += totals.blocks;
  report_->entries += totals.entries;
  report_->blocks += totals.blocks;
  report_->bytes += totals.bytes;
  report_->damaged += totals.damaged;
}

void RecoveryPass::Shorten(LogSource* source, const ScannedBlock& broken, size_t whole) {
  if (whole != 0) {
    const std::vector<uint8_t> padding(format::Stride(whole) - format::kBlockHeaderBytes - whole);
    Overwrite(source, padding.data(), padding.size(),
              broken.at + format::kBlockHeaderBytes + whole);
  }
  ThrowUnlessOk(ShortenBlock(source->file, broken.at, broken.header, whole), source->path);
}

void RecoveryPass::Overwrite(LogSource* source, const uint8_t* from, size_t size, uint64_t at) {
  for (size_t i = 0; i < size;) {
    const ssize_t put = source->file->Overwrite(from + i, size - i, at + i);
    if (put <= 0 && put != -EINTR)
      ThrowRecoveryError({static_cast<int>(-put), "pwrite"}, source->path);
    i += put > 0 ? static_cast<size_t>(put) : 0;
  }
}

std::vector<uint8_t> RecoveryPass::ReadBroken(const LogSource& source, const ScannedBlock& broken) {
  const uint64_t claimed = uint64_t{format::kBlockHeaderBytes} + broken.header.valid;
  std::vector<uint8_t> there(std::min(source.size - broken.at, claimed));
  const int error = ReadFully(source.file, there.data(), there.size(), broken.at);
  if (error != 0) ThrowRecoveryError({error, "pread"}, source.path);
  return there;
}

void RecoveryPass::CheckNew() {
  LinesInLog left;
  WantLeft(&left);
  left.Arrange();
  const uint64_t window = std::max(kMinStaleBytes, kStaleSets * sets_.geometry().set_bytes());
  for (const LogSource& source : sources_.files) {
    const uint64_t from = source.from - std::min(source.from, window);
    IoStatus status;
    if (sets_.arena().format() == Format::kNdjson) {
      uint64_t last_line = 0;
      status = ScanLines(source.file, from, source.from, longest_, &last_line,
                         [&](std::string_view line) { left.Found(line); });
    } else {
      status = ScanBlocks(
          source.file, from, source.from, header().stream, [&](const ScannedBlock& block) {
            ForEachEntry(block.bytes, [&](std::string_view line) { left.Found(line); });
          });
    }
    ThrowUnlessOk(status, source.path);
  }
  if (left.found() == 0) return;
  throw NotProven{
      "it was left by another boot of this machine, and the log holds some of its lines already"};
}

}  // namespace shardlog::engine
