#include "recorder/ring_file.h"

#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/error.h"
#include "recorder/ring_layout.h"

namespace shardlog::recorder {
namespace {

using engine::Error;

// Names beside the path that are tried for an arena that was left.
constexpr int kMostLeft = 1000;

// There is no log that the file belongs to: it has to be the caller's, or root's.
io::FileInfo Ourselves() {
  io::FileInfo info;
  info.owner = geteuid();
  return info;
}

bool IsRing(int fd) {
  uint64_t magic = 0;
  const ssize_t got = pread(fd, &magic, sizeof magic, 0);
  return got == static_cast<ssize_t>(sizeof magic) && magic == kMagic;
}

// What has the name `path` and was locked by nobody.
std::string SetAside(const std::string& path) {
  for (int i = 1; i <= kMostLeft; i++) {
    std::string aside = path + ".left-" + std::to_string(i);
    const int error = engine::RenameWithoutReplacing(path, aside);
    if (error == 0) return aside;
    if (error != EEXIST) {
      throw Error("ERR_SHARDLOG_IO", "rename of " + path + " failed: " + std::strerror(error),
                  error, "rename", path);
    }
  }
  throw Error("ERR_SHARDLOG_IO", "too many arenas were left beside " + path, EEXIST, "rename",
              path);
}

}  // namespace

NewRingFile::NewRingFile(const std::string& path, uint64_t bytes)
    : file_(path, bytes, Ourselves()) {}

std::string MakeWayForRing(const std::string& path) {
  struct stat st;
  const engine::ArenaFd fd(engine::OpenArenaFile(path, Ourselves(), &st));
  if (fd.get() < 0) return "";
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    throw Error("ERR_SHARDLOG_LOCKED", path + " is the arena of a recorder that runs", EWOULDBLOCK,
                "flock", path);
  }
  // Its recorder closed it, or another has made way, between the two calls.
  if (!engine::IsNamed(path, fd.get())) return "";
  if (!IsRing(fd.get())) {
    throw Error("ERR_SHARDLOG_ARENA_OWNER", path + " is no recorder's arena; it is left alone", 0,
                "", path);
  }
  return SetAside(path);
}

void RemoveRingFile(const std::string& path, int fd) {
  if (engine::IsNamed(path, fd)) unlink(path.c_str());
}

}  // namespace shardlog::recorder
