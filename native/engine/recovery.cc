#include "engine/recovery.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "engine/append_point.h"
#include "engine/arena.h"
#include "engine/arena_places.h"
#include "engine/buffer_sets.h"
#include "engine/error.h"
#include "engine/set_writer.h"
#include "format/block.h"
#include "platform/clock.h"
#include "platform/process.h"

namespace shardlog::engine {
namespace {

[[noreturn]] void ThrowIo(const IoStatus& status, const std::string& path) {
  throw Error("ERR_SHARDLOG_RECOVERY",
              std::string("recovery into ") + path + " failed: " + status.call + ": " +
                  std::strerror(status.error) + "; the arena is kept",
              status.error, status.call, path);
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

bool SameBoot(const ArenaHeader& header) {
  return header.boot_id == platform::CurrentProcess().boot_id;
}

void ReadOrThrow(LogFile* log, void* to, size_t size, uint64_t offset) {
  const int error = ReadFully(log->file(), to, size, offset);
  if (error != 0) ThrowIo({error, "pread"}, log->path());
}

// How much of what an interrupted write left is looked at.
constexpr size_t kCompared = 64;

// Segments of `generation` whose blocks lie in [from, to) of the log already, whole.
std::set<uint32_t> SegmentsInLog(LogFile* log, uint64_t from, uint64_t to, uint64_t stream,
                                 uint64_t generation) {
  std::set<uint32_t> found;
  uint64_t at = from;
  while (at + format::kBlockHeaderBytes <= to) {
    uint8_t raw[format::kBlockHeaderBytes];
    ReadOrThrow(log, raw, sizeof raw, at);
    const format::BlockHeader header = format::DecodeHeader(raw);
    const uint64_t extent = format::BlockExtent(header.valid);
    if (header.valid == 0 || !header.IsPlausible() || at + extent > to) {
      at += format::kSectorBytes;
      continue;
    }
    std::vector<uint8_t> block(extent);
    ReadOrThrow(log, block.data(), extent, at);
    format::Trailer trailer;
    if (!format::DecodeWholeBlock(block.data(), extent, &trailer)) {
      at += format::kSectorBytes;
      continue;
    }
    if (trailer.stream == stream && trailer.generation == static_cast<uint32_t>(generation)) {
      found.insert(trailer.segment);
    }
    at += extent;
  }
  return found;
}

class Recovery {
 public:
  // `trusted`: the arena is of this boot, so its journal and `written` are as its owner left them.
  Recovery(std::shared_ptr<Arena> arena, LogFile* log, bool trusted, RecoveryReport* report)
      : sets_(std::move(arena)),
        log_(log),
        trusted_(trusted),
        report_(report),
        writer_(MakeSetWriter(sets_.arena().content(), sets_.arena().form(), sets_.geometry(),
                              Overlap::kNo)) {}

  void Run() {
    const uint64_t active = sets_.active();
    for (uint64_t g = sets_.written(); g <= active; g++) Drain(g);
    sets_.spills().RemoveLeft();
  }

 private:
  ArenaHeader& header() const { return sets_.arena().header(); }

  void Drain(uint64_t generation) {
    std::vector<SealedSegment> segments = sets_.Seal(generation, 0);
    for (SealedSegment& segment : segments) segment.leased = false;  // nobody is left to scribble
    DropImpossible(&segments);
    Journal& journal = header().journal;
    // [MM journal] acquire: pairs with the store that the flusher or an earlier recovery did last.
    const bool resumed =
        trusted_ && journal.generation.load(std::memory_order_acquire) == generation &&
        header().log_device == log_->info().device && header().log_inode == log_->info().inode;
    uint64_t sequence = resumed ? journal.sequence : header().next_sequence;
    const uint64_t sealed_time = resumed ? journal.sealed_time : platform::RealtimeNs();
    // After a power failure `written` may be behind the log: look everywhere.
    if (resumed || !trusted_) {
      sequence += Forget(InLog(resumed, generation, segments), generation, &segments);
    }
    if (!segments.empty()) WriteSegments(generation, segments, sequence, sealed_time);
    sets_.MarkWritten(generation);
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
    const auto kept = std::remove_if(segments->begin(), segments->end(), impossible);
    report_->damaged += static_cast<uint64_t>(segments->end() - kept);
    segments->erase(kept, segments->end());
  }

  // Segments of the generation that are in the log already and stay there. An interrupted write
  // with nothing behind it is cut off, to be done again; where somebody else has appended to it, or
  // the bytes are not ours at all, what is whole of it stays.
  std::set<uint32_t> InLog(bool resumed, uint64_t generation,
                           const std::vector<SealedSegment>& segments) {
    const Journal& journal = header().journal;
    const uint64_t size = LogSize();
    if (resumed && size >= journal.base && size <= journal.limit &&
        BeginsAsOurs(journal.base, size, segments)) {
      const IoStatus status = log_->CutTo(journal.base);
      if (!status.ok()) ThrowIo(status, log_->path());
      return {};
    }
    // Lines do not tell which records they were: they are written again, all of them.
    if (sets_.arena().content() == Content::kRecords) return {};
    return SegmentsInLog(log_, resumed ? std::min(journal.base, size) : 0, size, header().stream,
                         generation);
  }

  // Whether what the log has from `base` on may be what the interrupted write has left there, as
  // far as the file goes, or space it never came to fill. File systems give the inode of a deleted
  // log to the next file, which may be anybody's.
  bool BeginsAsOurs(uint64_t base, uint64_t size, const std::vector<SealedSegment>& segments) {
    static constexpr uint8_t kZeroes[kCompared] = {};
    uint8_t there[kCompared] = {};
    const size_t bytes = std::min<uint64_t>(size - base, sizeof there);
    ReadOrThrow(log_, there, bytes, base);
    return std::memcmp(there, kZeroes, bytes) == 0 ||
           writer_->MayHaveWritten(there, bytes, segments);
  }

  // Takes segments that are in the log out of the list, and out of the arena: a recovery that takes
  // this one up after the journal has moved on must not find them any more. Returns how many there
  // were.
  uint64_t Forget(const std::set<uint32_t>& in_log, uint64_t generation,
                  std::vector<SealedSegment>* segments) {
    const uint32_t per_shard = sets_.geometry().segments_per_shard;
    return std::erase_if(*segments, [&](const SealedSegment& s) {
      if (in_log.count(s.shard * per_shard + s.segment) == 0) return false;
      sets_.arena().slot(generation, s.shard, s.segment).Recycle();
      return true;
    });
  }

  uint64_t LogSize() const {
    io::FileInfo info;
    const int error = log_->file()->Stat(&info);
    if (error != 0) ThrowIo({-error, "fstat"}, log_->path());
    return info.size;
  }

  void WriteSegments(uint64_t generation, const std::vector<SealedSegment>& segments,
                     uint64_t sequence, uint64_t sealed_time) {
    uint64_t base = 0;
    IoStatus status = log_->FindEnd(&base);
    if (!status.ok()) ThrowIo(status, log_->path());
    Journal& journal = header().journal;
    // [MM journal] release: generation last, so that the fields are never taken for another one's.
    journal.generation.store(kNoGeneration, std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // [MM journal]
    header().next_sequence = sequence;
    sets_.arena().SetLog(log_->info());
    journal.base = base;
    journal.sequence = sequence;
    journal.sealed_time = sealed_time;
    journal.limit = base + writer_->MostBytes(segments, log_->file()->alignment());
    journal.generation.store(generation, std::memory_order_release);  // [MM journal]

    BlockContext context;
    context.generation = generation;
    context.stream = header().stream;
    context.sequence = sequence;
    context.first_time = FirstTime(segments);
    context.sealed_time = sealed_time;
    context.flags = format::kFlagRecovered;
    BlockTotals totals;
    status = writer_->Write(log_->file(), base, context, segments, &totals);
    if (!status.ok()) ThrowIo(status, log_->path());
    header().next_sequence = sequence + totals.blocks;
    report_->entries += totals.entries;
    report_->blocks += totals.blocks;
    report_->bytes += totals.bytes;
    report_->damaged += totals.damaged;
  }

  BufferSets sets_;
  LogFile* const log_;
  const bool trusted_;
  RecoveryReport* const report_;
  const std::unique_ptr<SetWriter> writer_;
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
// it names another path, and is older than our file. A log that was moved is older than its arena.
bool IsOfAnotherLog(const ArenaHeader& header, const LogFile& log) {
  const std::string path(header.path, std::min<size_t>(header.path_bytes, kMaxArenaPathBytes));
  return path != log.path() && log.info().birth_time > header.created_time;
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
  const bool trusted = SameBoot(arena->header());
  if (!trusted && !force) {
    SetAside(arena_path, "it was left by another boot of this machine", &report);
    return report;
  }
  if (!force && IsOfAnotherLog(arena->header(), *log)) {
    SetAside(arena_path, "it is that of a log that has gone", &report);
    return report;
  }
  if (!GenerationsAgree(arena->header())) {
    SetAside(arena_path, "its generations contradict each other", &report);
    return report;
  }
  const Form openers = log->form();
  log->set_form(arena->form());
  Recovery(arena, log, trusted, &report).Run();
  log->set_form(openers);
  const int error = arena->Remove();
  if (error != 0 && error != -ENOENT) ThrowIo({-error, "unlink"}, arena_path);
  return report;
}

}  // namespace shardlog::engine
