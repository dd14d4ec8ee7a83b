// The files in which recovery looks for what an interrupted write has brought into the log: the log
// itself, and what it was renamed or copied to meanwhile.
//
// Thread: recovery.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/arena_layout.h"
#include "sink/log_file.h"

namespace shardlog::engine {

// A file, and the offset from which on it may hold what the arena has, too.
struct LogSource {
  std::string path;
  io::File* file;
  uint64_t from;
  uint64_t size;
  std::unique_ptr<io::File> owned;  // of a rotated log
};

struct LogSources {
  std::vector<LogSource> files;
  // Whether one of them is proven to be the log that the arena's owner wrote to.
  bool proven = false;
};

// `state`: the arena's journal; null if it has none that can be believed. With `everything`, files
// are looked through from their beginning. Throws Error(ERR_SHARDLOG_RECOVERY) if the log cannot be
// read.
LogSources FindSources(LogFile* log, const ArenaHeader& header, const JournalState* state,
                       bool everything);

}  // namespace shardlog::engine
