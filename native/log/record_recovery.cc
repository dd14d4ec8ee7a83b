// Recovery of a log of records: a line is known by its bytes.
#include <algorithm>
#include <utility>

#include "log/recovery_pass.h"
#include "platform/clock.h"
#include "sink/append_point.h"
#include "sink/line_encoder.h"
#include "sink/torn_block.h"

namespace shardlog::engine {
namespace {

class RecordRecovery final : public RecoveryPass {
 public:
  using RecoveryPass::RecoveryPass;

 private:
  void FindWritten() override {
    // By force, and where the log goes on behind the end that the journal tells of.
    compares_ =
        trust_ == Trust::kForced || std::any_of(sources_.files.begin(), sources_.files.end(),
                                                [](const LogSource& s) { return s.from < s.size; });
    if (!compares_) return;
    Want();
    for (LogSource& source : sources_.files) {
      if (sets_.arena().format() == Format::kNdjson) {
        FindLines(&source);
      } else {
        FindEntries(&source);
      }
    }
  }

  void WantLeft(LinesInLog* left) override {
    LinesInLog taken = in_log_;
    uint64_t damaged = 0;
    for (const Generation& generation : generations_) {
      damaged += writer_->Visit(generation.segments, generation.done, [&](std::string_view line) {
        if (taken.Take(line)) return;
        left->Want(line);
        longest_ = std::max(longest_, line.size() + 1);
      });
    }
    if (damaged != 0) {
      throw NotProven{"it was left by another boot of this machine, and is damaged"};
    }
  }

  void WriteMissing() override {
    for (const auto& [source, at] : begun_lines_) CompleteLine(source, at);
    for (const auto& [source, block] : broken_) RepairLines(source, block);
    ThrowUnlessOk(log_->FindEnd(), log_->path());
    for (const Generation& generation : generations_) {
      Write(generation, writer_.get(), compares_ ? &in_log_ : nullptr);
    }
  }

  void Want() {
    for (const Generation& generation : generations_) {
      writer_->Visit(generation.segments, generation.done, [&](std::string_view line) {
        in_log_.Want(line);
        longest_ = std::max(longest_, line.size() + 1);
      });
    }
    in_log_.Arrange();
  }

  void FindLines(LogSource* source) {
    uint64_t last_line = source->size;
    const IoStatus status =
        ScanLines(source->file, source->from, source->size, longest_, &last_line,
                  [&](std::string_view line) { in_log_.Found(line); });
    ThrowUnlessOk(status, source->path);
    if (last_line < source->size) begun_lines_.emplace_back(source, last_line);
  }

  // The file may end within one of our lines: the rest of that is appended.
  void CompleteLine(LogSource* source, uint64_t at) {
    const size_t there = source->size - at;
    if (there >= longest_) return;
    std::string begun(there, '\0');
    const int error = ReadFully(source->file, begun.data(), there, at);
    if (error != 0) ThrowRecoveryError({error, "pread"}, source->path);
    std::string line;
    LinesInLog others = in_log_;
    for (const Generation& generation : generations_) {
      writer_->Visit(generation.segments, generation.done, [&](std::string_view candidate) {
        const bool fits =
            line.empty() && candidate.size() > there && candidate.compare(0, there, begun) == 0;
        if (!others.Take(candidate) && fits) line = candidate;
      });
    }
    if (line.empty()) return;
    uint64_t end = source->size;
    ThrowUnlessOk(AppendFully(source->file, line.data() + there, line.size() - there, &end),
                  source->path);
    source->size = end;
    if (end != at + line.size()) return;  // somebody has appended meanwhile, and came between
    in_log_.Found(line);
    report_->entries++;
  }

  // Lines in blocks of ours.
  void FindEntries(LogSource* source) {
    const IoStatus status = ScanBlocks(
        source->file, source->from, source->size, header().stream, [&](const ScannedBlock& block) {
          if (block.kind == ScannedBlock::Kind::kBroken) {
            broken_.emplace_back(source, block);
            return;
          }
          if (block.kind == ScannedBlock::Kind::kSound) {
            sequence_ = std::max(sequence_, block.trailer.sequence + 1);
          }
          ForEachEntry(block.bytes, [&](std::string_view line) { in_log_.Found(line); });
        });
    ThrowUnlessOk(status, source->path);
  }

  // A block of ours that a kill tore is cut to its whole lines: to a sound block where it ends the
  // file, by its header where somebody else has appended to it.
  void RepairLines(LogSource* source, const ScannedBlock& broken) {
    const std::vector<uint8_t> there = ReadBroken(*source, broken);
    size_t whole = BytesOfOurs(there, in_log_);
    const Begun begun = LookAtBegun(there, whole);
    if (whole == 0 && begun == Begun::kNotOurs) return;
    if (begun == Begun::kOurs && broken.at + there.size() == source->size) {
      format::Trailer identity;
      identity.flags = format::kFlagRecovered;
      identity.stream = header().stream;
      identity.sequence = sequence_;
      identity.first_time = identity.last_time = platform::RealtimeNs();
      identity.generation =
          static_cast<uint32_t>(generations_.empty() ? 0 : generations_[0].number);
      ThrowUnlessOk(PrepareAppend(source->file, &source->size, broken.at, &identity), source->path);
    } else {
      const size_t ours = format::kBlockHeaderBytes + whole;
      whole = FittingEntries(there.data() + format::kBlockHeaderBytes, ours);
      Shorten(source, broken, whole);
    }
    if (whole == 0) return;
    sequence_ += begun == Begun::kOurs ? 1 : 0;
    std::vector<uint8_t> cut(
        there.begin(), there.begin() + static_cast<ptrdiff_t>(format::kBlockHeaderBytes + whole));
    ForEachEntry(cut, [&](std::string_view line) { in_log_.Found(line); });
  }

  // Bytes of the entries at the beginning of a block that are lines which the arena has.
  static size_t BytesOfOurs(const std::vector<uint8_t>& there, LinesInLog in_log) {
    size_t bytes = 0;
    bool ours = true;
    ForEachEntry(there, [&](std::string_view line) {
      ours = ours && in_log.Found(line);
      if (ours) bytes += format::kEntryPrefixBytes + line.size();
    });
    return bytes;
  }

  // What comes behind them: a line of which the rest is missing, one that goes on as ours do not,
  // or something that never was a line of ours.
  enum class Begun { kOurs, kForeign, kNotOurs };
  Begun LookAtBegun(const std::vector<uint8_t>& there, size_t whole) const {
    const size_t at = format::kBlockHeaderBytes + whole + format::kEntryPrefixBytes;
    if (at >= there.size()) return Begun::kOurs;
    const std::string_view begun(reinterpret_cast<const char*>(there.data()) + at,
                                 there.size() - at);
    const auto length = format::Load<uint32_t>(there.data() + at - format::kEntryPrefixBytes);
    Begun found = Begun::kNotOurs;
    for (const Generation& generation : generations_) {
      writer_->Visit(generation.segments, generation.done, [&](std::string_view line) {
        if (line.size() != length || found == Begun::kOurs) return;
        const bool ours = begun.size() < length && line.substr(0, begun.size()) == begun;
        found = ours ? Begun::kOurs : Begun::kForeign;
      });
    }
    return found;
  }

  const std::unique_ptr<LineEncoder> writer_ =
      MakeLineEncoder(sets_.arena().format(), sets_.geometry(), Overlap::kNo);
  LinesInLog in_log_{trust_ == Trust::kForced ? LinesInLog::Counts::kOnce
                                              : LinesInLog::Counts::kTimes};
  bool compares_ = false;  // whether in_log_ is filled in

  // Lines that sources_ have only the beginning of, and where they begin.
  std::vector<std::pair<LogSource*, uint64_t>> begun_lines_;
};

}  // namespace

std::unique_ptr<RecoveryPass> MakeRecordRecovery(std::shared_ptr<Arena> arena, LogFile* log,
                                                 Trust trust, RecoveryReport* report) {
  return std::make_unique<RecordRecovery>(std::move(arena), log, trust, report);
}

}  // namespace shardlog::engine
