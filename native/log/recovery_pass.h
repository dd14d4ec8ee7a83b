// What recovering a log of entries and one of records have in common: the arena's generations that
// are not in the log as a whole, and the files in which some of them may be
// (docs/reference/log-format.md, R14 to R16).
//
// Thread: recovery.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/buffer_sets.h"
#include "engine/journal.h"
#include "format/block.h"
#include "log/log_scan.h"
#include "log/log_sources.h"
#include "log/recovery.h"
#include "sink/generation_encoder.h"
#include "sink/lines_in_log.h"

namespace shardlog::engine {

[[noreturn]] void ThrowRecoveryError(const IoStatus& status, const std::string& path);
void ThrowUnlessOk(const IoStatus& status, const std::string& path);

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

class RecoveryPass {
 public:
  RecoveryPass(std::shared_ptr<Arena> arena, LogFile* log, Trust trust, RecoveryReport* report)
      : sets_(std::move(arena)), log_(log), trust_(trust), report_(report) {}
  virtual ~RecoveryPass() = default;
  RecoveryPass(const RecoveryPass&) = delete;
  RecoveryPass& operator=(const RecoveryPass&) = delete;

  // Can be repeated after an end at any moment: what there is to write is what the arena has and
  // the log has not. Throws Error, or NotProven before anything is written.
  void Run();

  // Once the arena is gone: until then, lines that are larger than a shard may be made again.
  void RemoveSpills() { sets_.spills().RemoveLeft(); }

 protected:
  // Finds what of generations_ is in sources_, and what there is broken. Writes nothing.
  virtual void FindWritten() = 0;

  // Wants what is left of them. Throws NotProven where something is damaged.
  virtual void WantLeft(LinesInLog* left) = 0;

  // Mends what is torn in sources_, and writes what is in none of them.
  virtual void WriteMissing() = 0;

  ArenaHeader& header() const { return sets_.arena().header(); }

  void LoadState();

  // The journal of version 1 tells where the generation that was being written began, and nothing
  // that proves it.
  void LoadStateOfVersion1();

  uint64_t LogSize() const;

  void Seal();

  // Slots of a damaged arena may claim anything; what cannot be is not followed.
  void DropImpossible(std::vector<SealedSegment>* segments);

  BlockContext ContextOf(uint64_t generation, const std::vector<SealedSegment>& segments) const;

  void Write(const Generation& generation, GenerationEncoder* writer, LinesInLog* in_log);

  // Cuts a block to the entries in its first `whole` bytes, whose padding is ours, leaving what is
  // behind them.
  static void Shorten(LogSource* source, const ScannedBlock& broken, size_t whole);

  static void Overwrite(LogSource* source, const uint8_t* from, size_t size, uint64_t at);

  // What of a broken block the file has, up to the end of its entries.
  static std::vector<uint8_t> ReadBroken(const LogSource& source, const ScannedBlock& broken);

  // Calls take(entry) for each whole entry of a block, as far as it is there.
  template <typename Take>
  static void ForEachEntry(const std::vector<uint8_t>& block, Take take) {
    if (block.size() <= format::kBlockHeaderBytes) return;
    const size_t available = block.size() - format::kBlockHeaderBytes;
    const size_t claimed = format::DecodeHeader(block.data()).valid;
    ForEachEntry(block.data() + format::kBlockHeaderBytes, std::min(available, claimed), take);
  }

  // The same of bare entries. Returns how many bytes the whole ones take.
  template <typename Take>
  static size_t ForEachEntry(const uint8_t* entries, size_t available, Take take) {
    const size_t whole = format::FindWholeEntries(entries, available).bytes;
    for (size_t at = 0; at < whole;) {
      const uint32_t length = format::Load<uint32_t>(entries + at);
      at += format::kEntryPrefixBytes;
      take(std::string_view(reinterpret_cast<const char*>(entries) + at, length));
      at += length;
    }
    return whole;
  }

  // Refuses an arena of another boot if the log holds any of what is left shortly before the end
  // that the journal tells of: pages that came to the disk before the others did would have it
  // written again.
  void CheckNew();

  BufferSets sets_;
  LogFile* const log_;
  const Trust trust_;
  RecoveryReport* const report_;
  bool has_state_ = false;
  JournalState state_{};
  LogSources sources_;
  std::vector<std::pair<LogSource*, ScannedBlock>>
      broken_;  // what begins like a block, and is none
  std::vector<Generation> generations_;
  uint64_t sequence_ = 0;  // of the next block
  size_t longest_ = 0;     // bytes of a line that may have to be written, its end included
};

std::unique_ptr<RecoveryPass> MakeEntryRecovery(std::shared_ptr<Arena> arena, LogFile* log,
                                                Trust trust, RecoveryReport* report);
std::unique_ptr<RecoveryPass> MakeRecordRecovery(std::shared_ptr<Arena> arena, LogFile* log,
                                                 Trust trust, RecoveryReport* report);

}  // namespace shardlog::engine
