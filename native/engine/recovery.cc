#include "engine/recovery.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/aligned_memory.h"
#include "engine/append_point.h"
#include "engine/arena.h"
#include "engine/arena_places.h"
#include "engine/block_writer.h"
#include "engine/buffer_sets.h"
#include "engine/error.h"
#include "engine/journal.h"
#include "engine/lines_in_log.h"
#include "engine/log_scan.h"
#include "engine/log_sources.h"
#include "engine/record_writer.h"
#include "engine/set_writer.h"
#include "format/block.h"
#include "platform/clock.h"
#include "platform/process.h"

namespace shardlog::engine {
namespace {

// How much before the end that the journal tells of is searched for what an arena of another boot
// holds: pages that are older than the others hold the generation before last.
constexpr uint64_t kLeastStaleBytes = uint64_t{64} << 20;
constexpr uint64_t kStaleSets = 16;

[[noreturn]] void ThrowIo(const IoStatus& status, const std::string& path) {
  throw Error("ERR_SHARDLOG_RECOVERY",
              std::string("recovery into ") + path + " failed: " + status.call + ": " +
                  std::strerror(status.error) + "; the arena is kept",
              status.error, status.call, path);
}

void ThrowUnlessOk(const IoStatus& status, const std::string& path) {
  if (!status.ok()) ThrowIo(status, path);
}

void SetAside(const std::string& arena_path, const std::string& reason, RecoveryReport* report) {
  report->set_aside = AsidePlace(arena_path);
  report->reason = reason;
  if (report->set_aside == arena_path) return;
  if (std::rename(arena_path.c_str(), report->set_aside.c_str()) == 0) return;
  throw Error("ERR_SHARDLOG_RECOVERY",
              "cannot set " + arena_path + " aside: " + std::strerror(errno), errno, "rename",
              arena_path);
}

// What is known of the arena's pages.
enum class Trust {
  kWhole,   // of this boot: as its owner left them
  kProven,  // of another boot: believed as far as the log proves that nothing is repeated
  kForced   // whatever is structurally whole counts
};

// A generation that is not in the log as a whole.
struct Generation {
  uint64_t number = 0;
  uint64_t done = 0;  // of its lines, as JournalState::done
  std::vector<SealedSegment> segments;
  // Entries: of segments whose first entries are in the log, how many bytes those are.
  std::map<const SegmentSlot*, uint32_t> begun;

  uint32_t BytesInLog(const SealedSegment& segment) const {
    const auto found = begun.find(segment.slot);
    return found == begun.end() ? 0 : found->second;
  }
};

// Thrown where an arena of another boot would have something repeated; nothing is written then.
struct NotProven {
  std::string reason;
};

class Recovery {
 public:
  Recovery(std::shared_ptr<Arena> arena, LogFile* log, Trust trust, RecoveryReport* report)
      : sets_(std::move(arena)), log_(log), trust_(trust), report_(report) {}

  // Can be repeated after an end at any moment: what there is to write is what the arena has and
  // the log has not.
  void Run() {
    LoadState();
    sources_ =
        FindSources(log_, header(), has_state_ ? &state_ : nullptr, trust_ == Trust::kForced);
    if (trust_ == Trust::kProven && !sources_.proven) {
      throw NotProven{
          "it was left by another boot of this machine, and the log does not prove "
          "that it is its own"};
    }
    Seal();
    if (sets_.arena().content() == Content::kRecords) {
      RunRecords();
    } else {
      RunEntries();
    }
  }

  // Once the arena is gone: until then, lines that are larger than a shard may be made again.
  void RemoveSpills() { sets_.spills().RemoveLeft(); }

 private:
  ArenaHeader& header() const { return sets_.arena().header(); }

  void LoadState() {
    if (header().version == 1) {
      LoadStateOfVersion1();
      return;
    }
    has_state_ = LoadJournalState(header(), &state_);
    if (!has_state_) state_ = {};
  }

  // The journal of version 1 tells where the generation that was being written began, and nothing
  // that proves it.
  void LoadStateOfVersion1() {
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

  uint64_t LogSize() const {
    io::FileInfo info;
    const int error = log_->file()->Stat(&info);
    if (error != 0) ThrowIo({-error, "fstat"}, log_->path());
    return info.size;
  }

  void Seal() {
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

  // Slots of a damaged arena may claim anything; what cannot be is not followed.
  void DropImpossible(std::vector<SealedSegment>* segments) {
    const Geometry& g = sets_.geometry();
    const auto impossible = [&](const SealedSegment& s) {
      // [MM counter] relaxed: nobody else runs.
      const uint64_t span = s.slot->span.load(std::memory_order_relaxed);
      return span == 0 || s.segment + span > g.segments_per_shard ||
             format::kBlockHeaderBytes + uint64_t{s.valid} > span * g.segment_bytes;
    };
    report_->damaged += std::erase_if(*segments, impossible);
  }

  BlockContext ContextOf(uint64_t generation, const std::vector<SealedSegment>& segments) const {
    BlockContext context;
    context.generation = generation;
    context.stream = header().stream;
    context.sequence = sequence_;
    context.first_time = FirstTime(segments);
    context.sealed_time = platform::RealtimeNs();
    context.flags = format::kFlagRecovered;
    return context;
  }

  void Write(const Generation& generation, SetWriter* writer, LinesInLog* in_log) {
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

  // Bytes of the most entries of a block, of which only the first `ours` bytes are as we wrote
  // them, that leave room for their padding in these: bytes of somebody else in the place of the
  // trailer would make it a bad one.
  static size_t FittingEntries(const uint8_t* entries, size_t ours) {
    size_t fitting = 0;
    const size_t whole = format::FindWholeEntries(entries, ours - format::kBlockHeaderBytes).bytes;
    for (size_t at = 0; at < whole;) {
      at += format::kEntryPrefixBytes + format::Load<uint32_t>(entries + at);
      if (format::Stride(at) <= ours) fitting = at;
    }
    return fitting;
  }

  // Cuts a block to the entries in its first `whole` bytes, whose padding is ours, leaving what is
  // behind them.
  static void Shorten(LogSource* source, const ScannedBlock& broken, size_t whole) {
    if (whole != 0) {
      const std::vector<uint8_t> padding(format::Stride(whole) - format::kBlockHeaderBytes - whole);
      Overwrite(source, padding.data(), padding.size(),
                broken.at + format::kBlockHeaderBytes + whole);
    }
    ThrowUnlessOk(ShortenBlock(source->file, broken.at, broken.header, whole), source->path);
  }

  static void Overwrite(LogSource* source, const uint8_t* from, size_t size, uint64_t at) {
    for (size_t i = 0; i < size;) {
      const ssize_t put = source->file->Overwrite(from + i, size - i, at + i);
      if (put <= 0 && put != -EINTR) ThrowIo({static_cast<int>(-put), "pwrite"}, source->path);
      i += put > 0 ? static_cast<size_t>(put) : 0;
    }
  }

  // --- entries: a block's trailer tells which segment of which generation it is ---

  void RunEntries() {
    BlockWriter writer(sets_.geometry());
    sequence_ = has_state_ ? state_.sequence : header().next_sequence;
    for (Generation& generation : generations_) {
      std::erase_if(generation.segments, [&](const SealedSegment& s) {
        return s.slot->in_log == generation.number + 1;
      });
    }
    for (LogSource& source : sources_.files) {
      for (const ScannedBlock& broken : ForgetThoseIn(source)) {
        MendEntries(&source, broken, writer);
      }
    }
    if (trust_ == Trust::kProven) CheckEntriesAreNew();
    ThrowUnlessOk(log_->FindEnd(), log_->path());
    for (Generation& generation : generations_) {
      WriteRestOfBegun(&generation, writer);
      if (trust_ == Trust::kForced) {
        WriteUnknown(generation, writer);
      } else {
        Write(generation, &writer, nullptr);
      }
    }
  }

  // By force: pages of the arena may be of different times, so that a segment holds what the log
  // has under another number. Of each, only entries that the log has nowhere are written.
  void WriteUnknown(const Generation& generation, const BlockWriter& writer) {
    LinesInLog in_log(LinesInLog::Counts::kOnce);
    for (const SealedSegment& segment : generation.segments) {
      ForEachEntryOf(segment, [&](std::string_view entry) { in_log.Want(entry); });
    }
    in_log.Arrange();
    for (const LogSource& source : sources_.files) {
      io::FileInfo info;  // with what this recovery has written
      const int error = source.file->Stat(&info);
      if (error != 0) ThrowIo({-error, "fstat"}, source.path);
      const IoStatus status =
          ScanBlocks(source.file, 0, info.size, header().stream, [&](const ScannedBlock& block) {
            if (block.kind == ScannedBlock::Kind::kBroken) return;
            ForEachEntry(block.bytes, [&](std::string_view entry) { in_log.Found(entry); });
          });
      ThrowUnlessOk(status, source.path);
    }
    for (const SealedSegment& segment : generation.segments) {
      std::vector<uint8_t> left;
      ForEachEntryOf(segment, [&](std::string_view entry) {
        if (in_log.Take(entry)) return;
        const auto length = static_cast<uint32_t>(entry.size());
        const auto* const prefix = reinterpret_cast<const uint8_t*>(&length);
        left.insert(left.end(), prefix, prefix + sizeof length);
        left.insert(left.end(), entry.begin(), entry.end());
      });
      if (left.empty()) continue;
      const BlockContext context = ContextOf(generation.number, generation.segments);
      AppendBlock(writer.BlockOf(segment, left, context, sequence_, log_->alignment()));
    }
  }

  template <typename Take>
  static void ForEachEntryOf(const SealedSegment& segment, Take take) {
    const uint8_t* const entries = segment.data + format::kBlockHeaderBytes;
    const size_t whole = format::FindWholeEntries(entries, segment.valid).bytes;
    for (size_t at = 0; at < whole;) {
      const uint32_t length = format::Load<uint32_t>(entries + at);
      at += format::kEntryPrefixBytes;
      take(std::string_view(reinterpret_cast<const char*>(entries) + at, length));
      at += length;
    }
  }

  // Takes the segments whose blocks a file has out of the lists. Returns what begins like a block
  // and is none.
  std::vector<ScannedBlock> ForgetThoseIn(const LogSource& source) {
    std::set<std::pair<uint32_t, uint32_t>> found;
    std::vector<ScannedBlock> broken;
    const IoStatus status = ScanBlocks(
        source.file, source.from, source.size, header().stream, [&](const ScannedBlock& block) {
          const bool is_cut = block.kind == ScannedBlock::Kind::kCut && NoteCut(block);
          if (block.kind != ScannedBlock::Kind::kSound) {
            if (!is_cut) broken.push_back(block);
            return;
          }
          found.emplace(block.trailer.generation, block.trailer.segment);
          sequence_ = std::max(sequence_, block.trailer.sequence + 1);
        });
    ThrowUnlessOk(status, source.path);
    for (Generation& generation : generations_) {
      std::erase_if(generation.segments, [&](const SealedSegment& s) {
        return found.count({static_cast<uint32_t>(generation.number), IndexOf(s)}) != 0;
      });
    }
    return broken;
  }

  // A block that was cut to its whole entries, and has no trailer: it is known by its entries.
  bool NoteCut(const ScannedBlock& block) {
    const uint32_t valid = block.header.valid;
    for (Generation& generation : generations_) {
      for (const SealedSegment& segment : generation.segments) {
        const uint32_t begun = generation.BytesInLog(segment);
        if (valid > segment.valid - begun || Common(segment, begun, block.bytes) < valid) continue;
        generation.begun[segment.slot] = begun + valid;
        return true;
      }
    }
    return false;
  }

  // How many bytes of entries a block, as far as it is there, has in common with what a segment has
  // behind its first `begun` bytes.
  static size_t Common(const SealedSegment& segment, uint32_t begun,
                       const std::vector<uint8_t>& there) {
    const auto first = there.begin() + format::kBlockHeaderBytes;
    const size_t size =
        std::min<size_t>(there.size() - format::kBlockHeaderBytes, segment.valid - begun);
    const auto [end, other] = std::mismatch(first, first + static_cast<ptrdiff_t>(size),
                                            segment.data + format::kBlockHeaderBytes + begun);
    return static_cast<size_t>(end - first);
  }

  // A block of ours that a kill tore. Where it ends the file, its rest is appended. Where somebody
  // else has appended to it, it is cut to its whole entries.
  void MendEntries(LogSource* source, const ScannedBlock& broken, const BlockWriter& writer) {
    const std::vector<uint8_t> there = ReadBroken(*source, broken);
    Generation* generation = nullptr;
    const SealedSegment* const segment = FindBroken(broken.header, there, &generation);
    if (segment == nullptr) return;
    const uint32_t begun = generation->BytesInLog(*segment);
    const size_t common = Common(*segment, begun, there);
    const std::vector<uint8_t> block =
        writer.BlockOf(*segment, begun, ContextOf(generation->number, generation->segments),
                       sequence_, source->file->alignment());
    const bool alone = format::kBlockHeaderBytes + common == there.size() &&
                       broken.at + block.size() > source->size &&
                       GoesOnAs(*source, broken.at, block);
    if (alone && Complete(source, broken.at, source->size - broken.at, block)) {
      generation->segments.erase(generation->segments.begin() +
                                 (segment - generation->segments.data()));
      return;
    }
    const size_t whole = FittingEntries(segment->data + format::kBlockHeaderBytes + begun,
                                        format::kBlockHeaderBytes + common);
    Shorten(source, broken, whole);
    if (whole != 0) generation->begun[segment->slot] = begun + static_cast<uint32_t>(whole);
  }

  // Of segments whose first entries are in the log, the others come in a block of their own.
  void WriteRestOfBegun(Generation* generation, const BlockWriter& writer) {
    for (const auto& [slot, skipped] : generation->begun) {
      const auto found =
          std::find_if(generation->segments.begin(), generation->segments.end(),
                       [slot = slot](const SealedSegment& s) { return s.slot == slot; });
      if (found == generation->segments.end()) continue;
      const std::vector<uint8_t> block =
          writer.BlockOf(*found, skipped, ContextOf(generation->number, generation->segments),
                         sequence_, log_->alignment());
      if (!block.empty()) AppendBlock(block);
      generation->segments.erase(found);
    }
  }

  void AppendBlock(const std::vector<uint8_t>& block) {
    AlignedMemory memory;
    memory.Reserve(block.size(), 0);
    std::memcpy(memory.data(), block.data(), block.size());
    PieceWriter pieces(PieceWriter::Unit::kBlocks);
    pieces.Start(log_, 0);
    pieces.Add(memory.data(), block.size());
    pieces.EndBlock();
    ThrowUnlessOk(pieces.Write(), log_->path());
    Count(block);
  }

  void Count(const std::vector<uint8_t>& block) {
    const uint32_t valid = format::DecodeHeader(block.data()).valid;
    report_->entries +=
        format::FindWholeEntries(block.data() + format::kBlockHeaderBytes, valid).entries;
    report_->blocks++;
    report_->bytes += block.size();
    sequence_++;
  }

  uint32_t IndexOf(const SealedSegment& segment) const {
    return segment.shard * sets_.geometry().segments_per_shard + segment.segment;
  }

  // What of a broken block the file has, up to the end of its entries.
  static std::vector<uint8_t> ReadBroken(const LogSource& source, const ScannedBlock& broken) {
    const uint64_t claimed = uint64_t{format::kBlockHeaderBytes} + broken.header.valid;
    std::vector<uint8_t> there(std::min(source.size - broken.at, claimed));
    const int error = ReadFully(source.file, there.data(), there.size(), broken.at);
    if (error != 0) ThrowIo({error, "pread"}, source.path);
    return there;
  }

  // The segment whose block has this header, and the most entries in common with what is there.
  const SealedSegment* FindBroken(const format::BlockHeader& header,
                                  const std::vector<uint8_t>& there, Generation** of) {
    const SealedSegment* best = nullptr;
    size_t most = 0;
    for (Generation& generation : generations_) {
      for (const SealedSegment& segment : generation.segments) {
        const uint32_t begun = generation.BytesInLog(segment);
        // [MM counter] relaxed: nobody else runs.
        const uint64_t memory = uint64_t{segment.slot->span.load(std::memory_order_relaxed)} *
                                sets_.geometry().segment_bytes;
        if (segment.valid - begun != header.valid || header.capacity != memory) continue;
        const size_t common = Common(segment, begun, there);
        const bool only_header = there.size() == format::kBlockHeaderBytes;
        if (common <= most && !(only_header && best == nullptr)) continue;
        best = &segment;
        most = common;
        *of = &generation;
      }
    }
    return best;
  }

  // Whether the file goes on behind a block's entries as the block does, as far as it goes: with
  // padding, and a trailer that may tell other numbers and times.
  static bool GoesOnAs(const LogSource& source, uint64_t at, const std::vector<uint8_t>& block) {
    const uint32_t valid = format::DecodeHeader(block.data()).valid;
    const uint64_t trailer = format::BlockExtent(valid) - format::kTrailerBytes;
    std::vector<uint8_t> there(source.size - at);
    if (ReadFully(source.file, there.data(), there.size(), at) != 0) return false;
    for (size_t i = format::kBlockHeaderBytes + valid; i < there.size(); i++) {
      const uint64_t of_trailer = i - trailer;  // very large before it
      const bool may_differ =
          (of_trailer >= 6 && of_trailer < 8) || (of_trailer >= 16 && of_trailer < 24) ||
          (of_trailer >= 32 && of_trailer < 40) || (of_trailer >= 60 && of_trailer < 64);
      if (!may_differ && there[i] != block[i]) return false;
    }
    return true;
  }

  // False if somebody has appended meanwhile, who came between.
  bool Complete(LogSource* source, uint64_t at, size_t there, const std::vector<uint8_t>& block) {
    // A trailer that was cut in the middle told other times. Readers do not look at padding.
    const uint32_t valid = format::DecodeHeader(block.data()).valid;
    const size_t tail = format::kBlockHeaderBytes + valid;
    if (tail < there) Overwrite(source, block.data() + tail, there - tail, at + tail);
    uint64_t end = at + there;
    const IoStatus status =
        AppendFully(source->file, block.data() + there, block.size() - there, &end);
    ThrowUnlessOk(status, source->path);
    source->size = end;
    const bool whole = end == at + block.size();
    if (whole) Count(block);
    return whole;
  }

  // --- records: a line is known by its bytes ---

  void RunRecords() {
    const Form form = sets_.arena().form();
    const std::unique_ptr<RecordWriter> writer =
        MakeRecordWriter(form, sets_.geometry(), Overlap::kNo);
    sequence_ = has_state_ ? state_.sequence : header().next_sequence;
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
    if (error != 0) ThrowIo({error, "pread"}, source->path);
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

  template <typename Take>
  static void ForEachEntry(const std::vector<uint8_t>& block, Take take) {
    if (block.size() <= format::kBlockHeaderBytes) return;
    const uint8_t* const entries = block.data() + format::kBlockHeaderBytes;
    const size_t available = block.size() - format::kBlockHeaderBytes;
    const size_t claimed = format::DecodeHeader(block.data()).valid;
    const size_t whole = format::FindWholeEntries(entries, std::min(available, claimed)).bytes;
    for (size_t at = 0; at < whole;) {
      const uint32_t length = format::Load<uint32_t>(entries + at);
      at += format::kEntryPrefixBytes;
      take(std::string_view(reinterpret_cast<const char*>(entries) + at, length));
      at += length;
    }
  }

  // --- arenas of another boot ---

  // Refuses what the log holds shortly before the end that the journal tells of: pages that came to
  // the disk before the others did would have it written again.
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

  void CheckEntriesAreNew() {
    LinesInLog left;
    for (const Generation& generation : generations_) {
      for (const SealedSegment& segment : generation.segments) {
        const uint8_t* const entries = segment.data + format::kBlockHeaderBytes;
        for (size_t at = 0; at + format::kEntryPrefixBytes < segment.valid;) {
          const uint32_t length = format::Load<uint32_t>(entries + at);
          at += format::kEntryPrefixBytes;
          if (length == 0 || length > segment.valid - at) {
            throw NotProven{"it was left by another boot of this machine, and is damaged"};
          }
          left.Want({reinterpret_cast<const char*>(entries) + at, length});
          at += length;
        }
      }
    }
    left.Arrange();
    CheckNew(&left);
  }

  void CheckNew(LinesInLog* left) {
    const uint64_t window = std::max(kLeastStaleBytes, kStaleSets * sets_.geometry().set_bytes());
    for (const LogSource& source : sources_.files) {
      const uint64_t from = source.from - std::min(source.from, window);
      IoStatus status;
      if (sets_.arena().form() == Form::kText) {
        uint64_t last_line = 0;
        status = ScanLines(source.file, from, source.from, longest_, &last_line,
                           [&](std::string_view line) { left->Found(line); });
      } else {
        status = ScanBlocks(
            source.file, from, source.from, header().stream, [&](const ScannedBlock& block) {
              ForEachEntry(block.bytes, [&](std::string_view line) { left->Found(line); });
            });
      }
      ThrowUnlessOk(status, source.path);
    }
    if (left->found() == 0) return;
    throw NotProven{
        "it was left by another boot of this machine, and the log holds some of its lines already"};
  }

  BufferSets sets_;
  LogFile* const log_;
  const Trust trust_;
  RecoveryReport* const report_;
  bool has_state_ = false;
  JournalState state_{};
  LogSources sources_;
  std::vector<Generation> generations_;
  uint64_t sequence_ = 0;  // of the next block
  size_t longest_ = 0;     // bytes of a line that may have to be written, its end included
};

// The arena at `arena_path`; null if there is none, or, with the report saying so, if it cannot be
// one. Throws as RecoverArena does.
std::shared_ptr<Arena> OpenArena(const std::string& arena_path, const LogFile& log,
                                 RecoveryReport* report) {
  try {
    return Arena::Open(arena_path, log.info());
  } catch (const Error& error) {
    if (error.code() == "ERR_SHARDLOG_ARENA_OWNER") {
      report->set_aside = arena_path;
      report->reason = error.what();
    } else if (error.code() == "ERR_SHARDLOG_ARENA_VERSION" ||
               error.code() == "ERR_SHARDLOG_ARENA_CORRUPT") {
      SetAside(arena_path, error.what(), report);
    } else {
      throw;
    }
    report->found = true;
    return nullptr;
  }
}

// Whether the arena is that of a log which has gone, and whose inode the file system gave to ours:
// it is named after the inode, names another path, and is older than our file. A log that was moved
// is older than its arena. One beside the log was copied or moved with it.
bool IsOfAnotherLog(const std::string& arena_path, const ArenaHeader& header, const LogFile& log) {
  if (arena_path != ShmArenaPath(log.info())) return false;
  const std::string path(header.path, std::min<size_t>(header.path_bytes, kMaxArenaPathBytes));
  return path != log.path() && log.info().birth_time > header.created_time;
}

Trust TrustOf(const ArenaHeader& header, bool force) {
  const std::array<uint8_t, 16> boot = platform::CurrentProcess().boot_id;
  const bool is_told = boot != std::array<uint8_t, 16>{};  // without /proc it is not
  if (is_told && header.boot_id == boot) return Trust::kWhole;
  return force ? Trust::kForced : Trust::kProven;
}

bool GenerationsAgree(const ArenaHeader& header) {
  // [MM recycled-read] and its fellows: nobody else runs, the loads only read memory.
  const uint64_t recycled = header.recycled.load(std::memory_order_acquire);
  const uint64_t active = header.active.load(std::memory_order_acquire);    // [MM active-read]
  const uint64_t written = header.written.load(std::memory_order_acquire);  // [MM written-read]
  // `active + 1` of both only after a close that was killed before it removed the arena.
  return active >= recycled && active - recycled <= 1 && written >= recycled &&
         written <= active + 1;
}

}  // namespace

RecoveryReport RecoverArena(const std::string& arena_path, LogFile* log, bool force) {
  RecoveryReport report;
  report.arena_path = arena_path;
  const std::shared_ptr<Arena> arena = OpenArena(arena_path, *log, &report);
  if (arena == nullptr) return report;
  report.found = true;
  report.owner_pid = arena->header().owner_pid;
  if (!force && IsOfAnotherLog(arena_path, arena->header(), *log)) {
    SetAside(arena_path, "it is that of a log that has gone", &report);
    return report;
  }
  if (!GenerationsAgree(arena->header())) {
    SetAside(arena_path, "its generations contradict each other", &report);
    return report;
  }
  const Form openers = log->form();
  log->set_form(arena->form());
  Recovery recovery(arena, log, TrustOf(arena->header(), force), &report);
  try {
    recovery.Run();
  } catch (const NotProven& doubt) {
    SetAside(arena_path, doubt.reason, &report);
  }
  log->set_form(openers);
  if (!report.set_aside.empty()) return report;
  const int error = arena->Remove();
  if (error != 0 && error != -ENOENT) ThrowIo({-error, "unlink"}, arena_path);
  recovery.RemoveSpills();
  return report;
}

}  // namespace shardlog::engine
