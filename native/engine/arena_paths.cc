#include "engine/arena_paths.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "engine/arena_file.h"
#include "engine/arena_layout.h"
#include "platform/clock.h"

namespace shardlog::engine {
namespace {

constexpr char kShmDirectory[] = "/dev/shm/";
constexpr char kPrefix[] = "shardlog-";
constexpr char kSuffix[] = ".arena";
constexpr char kAsideMark[] = ".aside-";
// What a name has to leave of the 255 bytes that file systems allow: for a leading dot, the suffix,
// the mark of one that is set aside with its time, and that of one that is being made.
constexpr size_t kMaxStem = 200;

struct SplitPath {
  std::string directory;  // with its slash; "./" if there is none
  std::string base;
};

SplitPath Split(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"./", path};
  return {path.substr(0, slash + 1), path.substr(slash + 1)};
}

// FNV-1a, 64 bits, in hexadecimal.
std::string Hash(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016" PRIx64, hash);
  return digits;
}

// A file name for `stem`, or for a hash of it if it is too long for one.
std::string HiddenName(const std::string& stem) {
  return "." + (stem.size() <= kMaxStem ? stem : "shardlog-" + Hash(stem)) + kSuffix;
}

// A path as a file name, one to one.
std::string Escape(const std::string& path) {
  std::string name;
  for (const char c : path) {
    if (c == '/') {
      name += "%2F";
    } else if (c == '%') {
      name += "%25";
    } else {
      name += c;
    }
  }
  return name;
}

bool IsArenaName(const std::string& name) {
  const std::string suffix = kSuffix;
  return name.rfind(kPrefix, 0) == 0 && name.size() > suffix.size() &&
         name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0;
}

// The header of an arena of ours, or of the log's owner; null for any other file.
std::unique_ptr<ArenaHeader> ReadHeader(const std::string& path, const io::FileInfo& log) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return nullptr;
  struct stat st;
  auto header = std::make_unique<ArenaHeader>();
  const bool read =
      fstat(fd, &st) == 0 && WhyDistrusted(st, log).empty() &&
      pread(fd, header.get(), sizeof *header, 0) == static_cast<ssize_t>(sizeof *header);
  close(fd);
  return read && header->magic == kArenaMagic ? std::move(header) : nullptr;
}

std::string LogPathOf(const ArenaHeader& header) {
  return {header.path, std::min<size_t>(header.path_bytes, kMaxArenaPathBytes)};
}

// Whether the file is an arena whose log was opened as `log_path` on the same device (other
// containers may have the path, too).
bool IsArenaOf(const std::string& path, const std::string& log_path, const io::FileInfo& log) {
  const auto header = ReadHeader(path, log);
  return header != nullptr && header->log_device == log.device && LogPathOf(*header) == log_path;
}

// Whether the file is the arena of a log that was opened by another path, and is another file. One
// in /dev/shm keeps the name that tells the inode of its log's first file, when that was rotated.
bool IsOfAnother(const std::string& path, const std::string& log_path, const io::FileInfo& log) {
  const auto header = ReadHeader(path, log);
  return header != nullptr && LogPathOf(*header) != log_path &&
         (header->log_device != log.device || header->log_inode != log.inode);
}

// What the old name of `.app.log` says is the new name of `app.log`: such a file is the former's
// only if it says so itself.
bool IsAmbiguous(const std::string& log_path) { return Split(log_path).base.rfind('.', 0) == 0; }

void AddBeside(const std::string& log_path, const io::FileInfo& info,
               std::vector<std::string>* places) {
  places->push_back(FileArenaPath(log_path));
  const std::string old = OldArenaPath(log_path);
  if (!IsAmbiguous(log_path) || IsArenaOf(old, log_path, info)) places->push_back(old);
}

// The log's own name, where it was opened by a symbolic link; empty otherwise.
std::string RealPath(const std::string& log_path) {
  const std::unique_ptr<char, void (*)(void*)> real(realpath(log_path.c_str(), nullptr),
                                                    &std::free);
  return real == nullptr || log_path == real.get() ? std::string() : real.get();
}

}  // namespace

std::string FileArenaPath(const std::string& log_path, const std::string& arena_dir) {
  if (!arena_dir.empty()) return arena_dir + "/" + HiddenName(Escape(log_path));
  const SplitPath path = Split(log_path);
  return path.directory + HiddenName(path.base);
}

std::string OldArenaPath(const std::string& log_path) { return log_path + kSuffix; }

std::string ShmArenaPath(const io::FileInfo& log) {
  return std::string(kShmDirectory) + kPrefix + std::to_string(log.device) + "-" +
         std::to_string(log.inode) + kSuffix;
}

std::string NewShmArenaPath(const std::string& log_path, const io::FileInfo& log) {
  const std::string own = ShmArenaPath(log);
  std::string place = own;
  for (int i = 2; IsOfAnother(place, log_path, log); i++) {
    place = own.substr(0, own.size() - (sizeof kSuffix - 1)) + "-" + std::to_string(i) + kSuffix;
  }
  return place;
}

std::string AsidePlace(const std::string& arena_path) {
  const size_t mark = arena_path.rfind(std::string(kSuffix) + kAsideMark);
  const size_t slash = arena_path.rfind('/');
  const bool is_aside = mark != std::string::npos && (slash == std::string::npos || mark > slash);
  return is_aside ? arena_path : arena_path + kAsideMark + std::to_string(platform::RealtimeNs());
}

std::vector<std::string> AsideArenas(const std::string& arena_path) {
  const auto [directory, base] = Split(arena_path);
  const std::string prefix = base + kAsideMark;
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

std::vector<std::string> ArenaPaths(const std::string& log_path, const io::FileInfo& info,
                                    const std::string& arena_dir) {
  std::vector<std::string> places;
  if (!arena_dir.empty()) places.push_back(FileArenaPath(log_path, arena_dir));
  AddBeside(log_path, info, &places);
  const std::string real = RealPath(log_path);
  if (!real.empty()) {
    if (!arena_dir.empty()) places.push_back(FileArenaPath(real, arena_dir));
    AddBeside(real, info, &places);
  }
  const std::string own = ShmArenaPath(info);
  if (!IsOfAnother(own, log_path, info)) places.push_back(own);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(kShmDirectory), &closedir);
  if (directory == nullptr) return places;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string name = entry->d_name;
    const std::string path = kShmDirectory + name;
    if (IsArenaName(name) && path != own && IsArenaOf(path, log_path, info)) {
      places.push_back(path);
    }
  }
  return places;
}

}  // namespace shardlog::engine
