// Where arenas of a log may lie.
#pragma once

#include <string>
#include <vector>

#include "io/file.h"

namespace shardlog::engine {

// Where the file of a log's arena lies, or would: `dir/.app.log.arena` for `dir/app.log`, which
// `dir/*` does not match; in `arena_dir`, if one is given, under a name that tells the log's whole
// path, so that logs of different directories never meet there. Both paths are absolute.
std::string FileArenaPath(const std::string& log_path, const std::string& arena_dir = {});

// Where it lay before: `dir/app.log.arena`.
std::string OldArenaPath(const std::string& log_path);

// Where it lies in /dev/shm: the name tells the inode that the log had when it was opened.
std::string ShmArenaPath(const io::FileInfo& log);

// Where a new one of the log that is opened as `log_path` may lie in /dev/shm: there, or under a
// name beside it while that of another log has the name, which was rotated and is `log` now.
std::string NewShmArenaPath(const std::string& log_path, const io::FileInfo& log);

// Where recovery looks for what dead processes left of the log at `log_path`, which is the file
// `info` now: in `arena_dir`, if one is given; beside it, also under the old name; both for the
// file, too, that it is a symbolic link to; in /dev/shm under its device and inode, and under those
// that a file of that path had before it was deleted or replaced. Of the last kind only arenas that
// exist are returned.
std::vector<std::string> ArenaPaths(const std::string& log_path, const io::FileInfo& info,
                                    const std::string& arena_dir = {});

// Where the arena at `arena_path` goes if it cannot be recovered: a new name beside it, or the one
// that it has if it was set aside before.
std::string AsidePlace(const std::string& arena_path);

// Arenas that were set aside beside `arena_path`, oldest first.
std::vector<std::string> AsideArenas(const std::string& arena_path);

}  // namespace shardlog::engine
