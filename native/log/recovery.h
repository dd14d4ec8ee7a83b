// Draining the arena of a process that is gone into its log (docs/reference/log-format.md, R12 to
// R15).
//
// Every step can be repeated: a recovery that is killed is taken up by the next one where it was.
#pragma once

#include <cstdint>
#include <string>

#include "sink/log_file.h"

namespace shardlog::engine {

struct RecoveryReport {
  bool found = false;      // an arena was there
  std::string arena_path;  // where it is, or was
  std::string set_aside;   // where it is now, if it was not recovered; empty otherwise
  std::string reason;      // why it was not
  uint32_t owner_pid = 0;
  uint64_t entries = 0;
  uint64_t blocks = 0;
  uint64_t bytes = 0;
  uint64_t damaged = 0;  // segments cut to what is whole in them
};

// Drains the arena at `arena_path` into `log`, which is open and locked, and removes it. An arena
// that cannot be trusted (another boot, unless `force`; another version; damage) is renamed to
// `<arena>.aside-<time>`, never destroyed. One of another user's in /dev/shm is reported and left
// where it is. Throws Error if its owner lives (ERR_SHARDLOG_LOCKED),
// or if the kernel fails it, in which case the arena stays and may be recovered later.
RecoveryReport RecoverArena(const std::string& arena_path, LogFile* log, bool force);

}  // namespace shardlog::engine
