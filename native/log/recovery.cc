#include "log/recovery.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "engine/arena.h"
#include "engine/arena_paths.h"
#include "engine/error.h"
#include "log/recovery_pass.h"
#include "platform/process.h"

namespace shardlog::engine {
namespace {

void SetAside(const std::string& arena_path, const std::string& reason, RecoveryReport* report) {
  report->set_aside = AsidePlace(arena_path);
  report->reason = reason;
  if (report->set_aside == arena_path) return;
  if (std::rename(arena_path.c_str(), report->set_aside.c_str()) == 0) return;
  throw Error("ERR_SHARDLOG_RECOVERY",
              "cannot set " + arena_path + " aside: " + std::strerror(errno), errno, "rename",
              arena_path);
}

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
  const Format openers = log->format();
  log->set_format(arena->format());
  const Trust trust = TrustOf(arena->header(), force);
  const std::unique_ptr<RecoveryPass> pass = arena->content() == Content::kRecords
                                                 ? MakeRecordRecovery(arena, log, trust, &report)
                                                 : MakeEntryRecovery(arena, log, trust, &report);
  try {
    pass->Run();
  } catch (const NotProven& doubt) {
    SetAside(arena_path, doubt.reason, &report);
  }
  log->set_format(openers);
  if (!report.set_aside.empty()) return report;
  const int error = arena->Remove();
  if (error != 0 && error != -ENOENT) ThrowRecoveryError({-error, "unlink"}, arena_path);
  pass->RemoveSpills();
  return report;
}

}  // namespace shardlog::engine
