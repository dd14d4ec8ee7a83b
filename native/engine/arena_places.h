// Where arenas of a log may lie.
#pragma once

#include <string>
#include <vector>

#include "io/file.h"

namespace shardlog::engine {

// Where recovery looks for what dead processes left of the log at `log_path`, which is the file
// `info` now: beside it, in /dev/shm under its device and inode, and in /dev/shm under those that a
// file of that path had before it was deleted or replaced. Of the last kind only arenas that exist
// are returned.
std::vector<std::string> ArenaPlaces(const std::string& log_path, const io::FileInfo& info);

// Where the arena at `arena_path` goes if it cannot be recovered: a new name beside it, or the one
// that it has if it was set aside before.
std::string AsidePlace(const std::string& arena_path);

// Arenas that were set aside beside `arena_path`, oldest first.
std::vector<std::string> AsideArenas(const std::string& arena_path);

}  // namespace shardlog::engine
