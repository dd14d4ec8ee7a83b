// The file behind an arena: made without touching anybody else's, believed only if nobody else can
// have made or changed it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "io/file.h"

namespace shardlog::engine {

// A descriptor, closed at the end of its life.
class ArenaFd {
 public:
  explicit ArenaFd(int fd = -1) : fd_(fd) {}
  ~ArenaFd();
  ArenaFd(const ArenaFd&) = delete;
  ArenaFd& operator=(const ArenaFd&) = delete;
  int get() const { return fd_; }
  int Release();
  void Reset(int fd);

 private:
  int fd_;
};

// Whether a file of user `owner` may be an arena of `log`: it has to be ours, or the user's whom
// the log itself belongs to, who can write there what they like anyway, or root's.
bool IsTrustedOwner(uint32_t owner, const io::FileInfo& log);

// Why a file may be another's work, in words that follow its path; empty if it is to be believed: a
// regular file of a trusted owner, with one name, which neither group nor others may write.
std::string WhyDistrusted(const struct stat& st, const io::FileInfo& log);

// Opens what is at `path` for reading and writing, if it is to be believed; -1 if there is nothing.
// Never waits for a reader of a FIFO, never follows a symbolic link, never opens a device. Throws
// Error: ERR_SHARDLOG_ARENA_OWNER if it is not to be believed, ERR_SHARDLOG_IO.
int OpenArenaFile(const std::string& path, const io::FileInfo& log, struct stat* st);

// A new file of ours, locked and in full on its file system. It has no name before Publish(), or
// one that is removed again.
class NewArenaFile {
 public:
  // Reserves `bytes` for the arena that is going to be `path`. Throws Error(ERR_SHARDLOG_IO).
  NewArenaFile(const std::string& path, uint64_t bytes, const io::FileInfo& log);
  ~NewArenaFile();
  NewArenaFile(const NewArenaFile&) = delete;
  NewArenaFile& operator=(const NewArenaFile&) = delete;

  int fd() const { return fd_; }

  // Gives the file its name, and the caller a locked descriptor that was opened by it, so that the
  // kernel can tell where the file is. Nothing that has the name loses it. Throws Error:
  // ERR_SHARDLOG_LOCKED if a running process made an arena there meanwhile,
  // ERR_SHARDLOG_ARENA_OWNER if something that is not to be believed lies there, ERR_SHARDLOG_IO.
  int Publish();

 private:
  void MakeNameless();
  void MakeNamed();
  void GrantOurselves();
  void Reserve(uint64_t bytes);
  int Link() const;
  int LockByName();
  int MoveRootsAside() const;
  [[noreturn]] void ThrowTaken() const;

  const std::string path_;
  const io::FileInfo log_;
  std::string temporary_;  // empty: the file has no name
  int fd_ = -1;
};

// Makes way at `path`: what is there goes to a new name beside it, if it is to be believed. Throws
// Error(ERR_SHARDLOG_ARENA_OWNER) if it is not, Error(ERR_SHARDLOG_LOCKED) if a running process
// uses it, Error(ERR_SHARDLOG_IO) if that fails.
void MakeWay(const std::string& path, const io::FileInfo& log);

// 0 or a positive errno; EEXIST if something has the name `to` already.
int RenameWithoutReplacing(const std::string& from, const std::string& to);

// Whether the file system of `fd` may need new blocks for what has been written once already, be it
// because it copies on writing, or shares the blocks with a snapshot or a copy.
bool MayNeedRoom(int fd);

// Whether it writes other pages back while it looks for that room: see store_in_pages.h.
bool WritesBackForRoom(int fd);

// How many blocks a file has that nobody has cut, if its file system takes none away by itself; 0:
// that is not known.
uint64_t BlocksOf(int fd);

// Whether `path` names the file behind `fd`.
bool IsNamed(const std::string& path, int fd);

}  // namespace shardlog::engine
