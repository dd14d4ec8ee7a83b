#include "engine/arena_places.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "engine/arena.h"
#include "engine/arena_layout.h"
#include "platform/clock.h"

namespace shardlog::engine {
namespace {

constexpr char kShmDirectory[] = "/dev/shm/";
constexpr char kPrefix[] = "shardlog-";
constexpr char kSuffix[] = ".arena";
constexpr char kAsideMark[] = ".aside-";

bool IsArenaName(const std::string& name) {
  const std::string suffix = kSuffix;
  return name.rfind(kPrefix, 0) == 0 && name.size() > suffix.size() &&
         name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0;
}

// Whether the file is an arena of ours whose log was opened as `log_path` on the same device (other
// containers may have the path, too). What belongs to another user, or cannot be read, is none.
bool IsArenaOf(const std::string& path, const std::string& log_path, const io::FileInfo& log) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return false;
  struct stat st;
  const auto header = std::make_unique<ArenaHeader>();
  const bool read =
      fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && IsTrustedOwner(st.st_uid, log) &&
      pread(fd, header.get(), sizeof *header, 0) == static_cast<ssize_t>(sizeof *header);
  close(fd);
  return read && header->magic == kArenaMagic && header->log_device == log.device &&
         header->path_bytes == log_path.size() && header->path_bytes <= kMaxArenaPathBytes &&
         std::equal(log_path.begin(), log_path.end(), header->path);
}

}  // namespace

std::string AsidePlace(const std::string& arena_path) {
  const size_t mark = arena_path.rfind(std::string(kSuffix) + kAsideMark);
  const size_t slash = arena_path.rfind('/');
  const bool is_aside = mark != std::string::npos && (slash == std::string::npos || mark > slash);
  return is_aside ? arena_path : arena_path + kAsideMark + std::to_string(platform::RealtimeNs());
}

std::vector<std::string> AsideArenas(const std::string& arena_path) {
  const size_t slash = arena_path.rfind('/');
  const std::string directory = slash == std::string::npos ? "./" : arena_path.substr(0, slash + 1);
  const std::string prefix =
      arena_path.substr(slash == std::string::npos ? 0 : slash + 1) + kAsideMark;
  std::vector<std::string> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()), &closedir);
  if (entries == nullptr) return found;
  while (const dirent* entry = readdir(entries.get())) {
    const std::string name = entry->d_name;
    if (name.rfind(prefix, 0) == 0) found.push_back(directory + name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> ArenaPlaces(const std::string& log_path, const io::FileInfo& info) {
  std::vector<std::string> places{FileArenaPath(log_path), ShmArenaPath(info)};
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(kShmDirectory), &closedir);
  if (directory == nullptr) return places;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string name = entry->d_name;
    const std::string path = kShmDirectory + name;
    if (IsArenaName(name) && path != places[1] && IsArenaOf(path, log_path, info)) {
      places.push_back(path);
    }
  }
  return places;
}

}  // namespace shardlog::engine
