// Recovery of a log of records: a line is known by its bytes.
#include <algorithm>
#include <utility>

#include "engine/append_point.h"
#include "engine/record_writer.h"
#include "engine/recovery_pass.h"
#include "platform/clock.h"

namespace shardlog::engine {
namespace {

class RecordRecovery final : public RecoveryPass {
 public:
  using RecoveryPass::RecoveryPass;

 private:
  void WriteMissing() override {
    const Form form = sets_.arena().form();
    const std::unique_ptr<RecordWriter> writer =
        MakeRecordWriter(form, sets_.geometry(), Overlap::kNo);
    LinesInLog in_log(trust_ == Trust::kForced ? LinesInLog::Counts::kOnce
                                               : LinesInLog::Counts::kTimes);
    const bool compares =
        trust_ == Trust::kForced || std::any_of(sources_.files.begin(), sources_.files.end(),
                                                [](const LogSource& s) { return s.from < s.size; });
    if (compares) {
      Want(writer.get(), &in_log);
      for (LogSource& source : sources_.files) {
        if (form == Form::kText) {
          FindLines(&source, writer.get(), &in_log);
        } else {
          FindEntries(&source, writer.get(), &in_log);
        }
      }
    }
    if (trust_ == Trust::kProven) CheckLinesAreNew(writer.get(), in_log);
    ThrowUnlessOk(log_->FindEnd(), log_->path());
    for (const Generation& generation : generations_) {
      Write(generation, writer.get(), compares ? &in_log : nullptr);
    }
  }

  void Want(RecordWriter* writer, LinesInLog* lines) {
    for (const Generation& generation : generations_) {
      writer->Visit(generation.segments, generation.done, [&](std::string_view line) {
        lines->Want(line);
        longest_ = std::max(longest_, line.size() + 1);
      });
    }
    lines->Arrange();
  }

  void FindLines(LogSource* source, RecordWriter* writer, LinesInLog* in_log) {
    uint64_t last_line = source->size;
    const IoStatus status =
        ScanLines(source->file, source->from, source->size, longest_, &last_line,
                  [&](std::string_view line) { in_log->Found(line); });
    ThrowUnlessOk(status, source->path);
    if (last_line < source->size) CompleteLine(source, last_line, writer, in_log);
  }

  // The file may end within one of our lines: the rest of that is appended.
  void CompleteLine(LogSource* source, uint64_t at, RecordWriter* writer, LinesInLog* in_log) {
    const size_t there = source->size - at;
    if (there >= longest_) return;
    std::string begun(there, '\0');
    const int error = ReadFully(source->file, begun.data(), there, at);
    if (error != 0) ThrowRecoveryError({error, "pread"}, source->path);
    std::string line;
    LinesInLog others = *in_log;
    for (const Generation& generation : generations_) {
      writer->Visit(generation.segments, generation.done, [&](std::string_view candidate) {
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
    in_log->Found(line);
    report_->entries++;
  }

  // Lines in blocks of ours.
  void FindEntries(LogSource* source, RecordWriter* writer, LinesInLog* in_log) {
    for (const ScannedBlock& broken : ScanEntries(*source, source->from, in_log)) {
      MendLines(source, broken, writer, in_log);
    }
  }

  // Returns what begins like a block and is none.
  std::vector<ScannedBlock> ScanEntries(const LogSource& source, uint64_t from,
                                        LinesInLog* in_log) {
    std::vector<ScannedBlock> broken;
    const IoStatus status =
        ScanBlocks(source.file, from, source.size, header().stream, [&](const ScannedBlock& block) {
          if (block.kind == ScannedBlock::Kind::kBroken) {
            broken.push_back(block);
            return;
          }
          if (block.kind == ScannedBlock::Kind::kSound) {
            sequence_ = std::max(sequence_, block.trailer.sequence + 1);
          }
          ForEachEntry(block.bytes, [&](std::string_view line) { in_log->Found(line); });
        });
    ThrowUnlessOk(status, source.path);
    return broken;
  }

  // A block of ours that a kill tore is cut to its whole lines: to a sound block where it ends the
  // file, by its header where somebody else has appended to it.
  void MendLines(LogSource* source, const ScannedBlock& broken, RecordWriter* writer,
                 LinesInLog* in_log) {
    const std::vector<uint8_t> there = ReadBroken(*source, broken);
    size_t whole = BytesOfOurs(there, *in_log);
    const Begun begun = LookAtBegun(there, whole, writer);
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
    ForEachEntry(cut, [&](std::string_view line) { in_log->Found(line); });
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
  Begun LookAtBegun(const std::vector<uint8_t>& there, size_t whole, RecordWriter* writer) {
    const size_t at = format::kBlockHeaderBytes + whole + format::kEntryPrefixBytes;
    if (at >= there.size()) return Begun::kOurs;
    const std::string_view begun(reinterpret_cast<const char*>(there.data()) + at,
                                 there.size() - at);
    const auto length = format::Load<uint32_t>(there.data() + at - format::kEntryPrefixBytes);
    Begun found = Begun::kNotOurs;
    for (const Generation& generation : generations_) {
      writer->Visit(generation.segments, generation.done, [&](std::string_view line) {
        if (line.size() != length || found == Begun::kOurs) return;
        const bool ours = begun.size() < length && line.substr(0, begun.size()) == begun;
        found = ours ? Begun::kOurs : Begun::kForeign;
      });
    }
    return found;
  }

  void CheckLinesAreNew(RecordWriter* writer, const LinesInLog& in_log) {
    LinesInLog left;
    LinesInLog taken = in_log;
    uint64_t damaged = 0;
    for (const Generation& generation : generations_) {
      damaged += writer->Visit(generation.segments, generation.done, [&](std::string_view line) {
        if (taken.Take(line)) return;
        left.Want(line);
        longest_ = std::max(longest_, line.size() + 1);
      });
    }
    if (damaged != 0) {
      throw NotProven{"it was left by another boot of this machine, and is damaged"};
    }
    left.Arrange();
    CheckNew(&left);
  }
};

}  // namespace

std::unique_ptr<RecoveryPass> MakeRecordRecovery(std::shared_ptr<Arena> arena, LogFile* log,
                                                 Trust trust, RecoveryReport* report) {
  return std::make_unique<RecordRecovery>(std::move(arena), log, trust, report);
}

}  // namespace shardlog::engine
