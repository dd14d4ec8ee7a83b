// Recovery of a log of entries: a block's trailer tells which segment of which generation it is.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "engine/aligned_memory.h"
#include "log/recovery_pass.h"
#include "sink/append_point.h"
#include "sink/batch_writer.h"
#include "sink/block_encoder.h"
#include "sink/torn_block.h"

namespace shardlog::engine {
namespace {

class EntryRecovery final : public RecoveryPass {
 public:
  using RecoveryPass::RecoveryPass;

 private:
  void FindWritten() override {
    for (Generation& generation : generations_) {
      std::erase_if(generation.segments, [&](const SealedSegment& s) {
        return s.slot->in_log == generation.number + 1;
      });
    }
    for (LogSource& source : sources_.files) {
      for (ScannedBlock& block : ForgetThoseIn(source)) {
        broken_.emplace_back(&source, std::move(block));
      }
    }
  }

  void WriteMissing() override {
    BlockEncoder writer(sets_.geometry());
    for (const auto& [source, block] : broken_) RepairEntries(source, block, writer);
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
  void WriteUnknown(const Generation& generation, const BlockEncoder& writer) {
    LinesInLog in_log(LinesInLog::Counts::kOnce);
    for (const SealedSegment& segment : generation.segments) {
      ForEachEntryOf(segment, [&](std::string_view entry) { in_log.Want(entry); });
    }
    in_log.Arrange();
    for (const LogSource& source : sources_.files) {
      io::FileInfo info;  // with what this recovery has written
      const int error = source.file->Stat(&info);
      if (error != 0) ThrowRecoveryError({-error, "fstat"}, source.path);
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
  static size_t ForEachEntryOf(const SealedSegment& segment, Take take) {
    return ForEachEntry(segment.data + format::kBlockHeaderBytes, segment.valid, take);
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
  void RepairEntries(LogSource* source, const ScannedBlock& broken, const BlockEncoder& writer) {
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
  void WriteRestOfBegun(Generation* generation, const BlockEncoder& writer) {
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
    BatchWriter pieces(BatchWriter::Unit::kBlocks);
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

  void WantLeft(LinesInLog* left) override {
    for (const Generation& generation : generations_) {
      for (const SealedSegment& segment : generation.segments) {
        const size_t whole =
            ForEachEntryOf(segment, [&](std::string_view entry) { left->Want(entry); });
        if (segment.valid - whole > format::kEntryPrefixBytes) {
          throw NotProven{"it was left by another boot of this machine, and is damaged"};
        }
      }
    }
  }
};

}  // namespace

std::unique_ptr<RecoveryPass> MakeEntryRecovery(std::shared_ptr<Arena> arena, LogFile* log,
                                                Trust trust, RecoveryReport* report) {
  return std::make_unique<EntryRecovery>(std::move(arena), log, trust, report);
}

}  // namespace shardlog::engine
