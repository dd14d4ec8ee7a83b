#include "engine/spills.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "engine/arena.h"
#include "format/crc32c.h"
#include "record/renderer.h"

namespace shardlog::engine {
namespace {

constexpr char kAsideMark[] = ".aside-";
constexpr char kSpillMark[] = ".spill-";
constexpr size_t kStreamBytes = 17;  // 16 digits, and what ends them
constexpr size_t kMaxName = 200;
constexpr uint64_t kNotAccepted = UINT64_MAX;

// The place that an arena was made at: one that was set aside keeps the spills that lie there.
std::string PlaceOf(const std::string& arena_path) {
  const size_t mark = arena_path.rfind(kAsideMark);
  const size_t slash = arena_path.rfind('/');
  const bool is_aside = mark != std::string::npos && (slash == std::string::npos || mark > slash);
  return is_aside ? arena_path.substr(0, mark) : arena_path;
}

// `<arena>.spill-<stream>-`: what another arena of the place left has another stream. Of an arena
// whose name leaves no room for that, `.shardlog` stands for it.
std::string PrefixOf(std::string place, uint64_t stream) {
  const size_t slash = place.rfind('/');
  const size_t name = slash == std::string::npos ? 0 : slash + 1;
  if (place.size() - name > kMaxName) place.replace(name, std::string::npos, ".shardlog");
  char text[kStreamBytes + 1];
  std::snprintf(text, sizeof text, "%016" PRIx64 "-", stream);
  return place + kSpillMark + text;
}

std::vector<std::string> PathsThatBeginWith(const std::string& prefix) {
  const size_t slash = prefix.rfind('/');
  const std::string directory = slash == std::string::npos ? "./" : prefix.substr(0, slash + 1);
  const std::string name = slash == std::string::npos ? prefix : prefix.substr(slash + 1);
  std::vector<std::string> paths;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()), &closedir);
  if (entries == nullptr) return paths;
  while (const dirent* entry = readdir(entries.get())) {
    if (std::strncmp(entry->d_name, name.c_str(), name.size()) != 0) continue;
    paths.push_back(directory + entry->d_name);
  }
  return paths;
}

bool ReadHeader(const std::string& arena_path, ArenaHeader* header) {
  const int fd = open(arena_path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return false;
  const bool whole = pread(fd, header, sizeof *header, 0) == static_cast<ssize_t>(sizeof *header);
  close(fd);
  return whole && header->magic == kArenaMagic;
}

int WriteFully(int fd, const uint8_t* from, size_t size) {
  while (size > 0) {
    const ssize_t put = write(fd, from, size);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    from += put;
    size -= static_cast<size_t>(put);
  }
  return 0;
}

bool ReadWhole(int fd, uint8_t* to, size_t size) {
  while (size > 0) {
    const ssize_t got = read(fd, to, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

std::shared_ptr<uint8_t[]> Allocate(uint64_t size) {
  return std::shared_ptr<uint8_t[]>(new uint8_t[size]);
}

std::shared_ptr<const uint8_t[]> LoadFile(const std::string& path, uint64_t size) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return nullptr;
  struct stat st;
  // Before memory is asked for: what the record claims may be anything.
  const bool is_there =
      fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && static_cast<uint64_t>(st.st_size) == size;
  std::shared_ptr<uint8_t[]> bytes;
  try {
    if (is_there) bytes = Allocate(size);
  } catch (...) {
    close(fd);
    throw;
  }
  const bool whole = is_there && ReadWhole(fd, bytes.get(), size);
  close(fd);
  return whole ? bytes : nullptr;
}

// Of a payload that stands alone; one that has none counts as the line before it.
double TimeOf(const uint8_t* payload, size_t size) {
  record::SegmentRenderer reader;
  return reader.OpenPayload(payload, size) ? reader.time()
                                           : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

Spills::Spills(const Arena& arena)
    : place_(PlaceOf(arena.path())),
      prefix_(place_.empty() ? "" : PrefixOf(place_, arena.header().stream)),
      limit_(2 * arena.geometry().set_bytes()) {}

bool Spills::MayTake(uint64_t bytes) const { return bytes_ == 0 || bytes_ + bytes <= limit_; }

bool Spills::HasRoom(uint64_t bytes) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return MayTake(bytes);
}

bool Spills::AreMany() const { return bytes() > limit_ / 2; }

uint64_t Spills::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_;
}

std::string Spills::PathOf(uint64_t id) const { return prefix_ + std::to_string(id); }

// Takes room for a spill. Its id, or 0 if there is none.
uint64_t Spills::Reserve(uint64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!MayTake(bytes)) return 0;
  bytes_ += bytes;
  waiting_.emplace(++last_id_, Waiting{bytes, kNotAccepted, nullptr});
  return last_id_;
}

IoStatus Spills::Put(const void* payload, size_t size, record::Spilled* spilled) {
  const auto* bytes = static_cast<const uint8_t*>(payload);
  IoStatus status;
  uint64_t id = 0;
  try {
    id = Reserve(size);
    if (id == 0) return {EAGAIN, "spill"};
    status = Store(bytes, size, id);
    if (status.ok()) *spilled = {TimeOf(bytes, size), id, size, format::Crc32c(payload, size)};
  } catch (const std::bad_alloc&) {
    status = {ENOMEM, "malloc"};
  }
  if (!status.ok()) Discard(id);
  return status;
}

IoStatus Spills::Store(const uint8_t* payload, size_t size, uint64_t id) {
  if (prefix_.empty()) {
    std::shared_ptr<uint8_t[]> bytes = Allocate(size);
    std::memcpy(bytes.get(), payload, size);
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.at(id).bytes = std::move(bytes);
    return {};
  }
  const int fd = open(PathOf(id).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                      S_IRUSR | S_IWUSR);
  if (fd < 0) return {errno, "open"};
  // The page cache has it when this returns, and keeps it when the process is killed. What a power
  // failure takes is not flushed yet.
  const int error = WriteFully(fd, payload, size);
  close(fd);
  return error == 0 ? IoStatus{} : IoStatus{error, "write"};
}

void Spills::Discard(uint64_t id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto spill = waiting_.find(id);
  if (spill == waiting_.end()) return;
  if (!prefix_.empty()) unlink(PathOf(id).c_str());
  bytes_ -= spill->second.size;
  waiting_.erase(spill);
}

void Spills::Remove(uint64_t generation) {
  std::vector<uint64_t> written;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [id, spill] : waiting_) {
      if (spill.generation <= generation && spill.generation != kNotAccepted) written.push_back(id);
    }
  }
  for (const uint64_t id : written) Discard(id);
}

void Spills::RemoveLeft() const {
  if (prefix_.empty()) return;
  for (const std::string& path : PathsThatBeginWith(prefix_)) unlink(path.c_str());
}

void Spills::RemoveOrphans() const {
  if (prefix_.empty()) return;
  // What `.shardlog` stands for may be another arena.
  if (place_ + kSpillMark != prefix_.substr(0, prefix_.size() - kStreamBytes)) return;
  std::vector<std::string> kept = {prefix_};
  for (const std::string& aside : PathsThatBeginWith(place_ + kAsideMark)) {
    ArenaHeader header;
    // What cannot be made out may be anything's.
    if (!ReadHeader(aside, &header)) return;
    kept.push_back(PrefixOf(place_, header.stream));
  }
  for (const std::string& path : PathsThatBeginWith(place_ + kSpillMark)) {
    const bool is_kept = std::any_of(kept.begin(), kept.end(), [&path](const std::string& prefix) {
      return path.compare(0, prefix.size(), prefix) == 0;
    });
    if (!is_kept && path.size() > prefix_.size()) unlink(path.c_str());
  }
}

std::shared_ptr<const uint8_t[]> Spills::Load(const record::Spilled& spilled) const {
  std::shared_ptr<const uint8_t[]> bytes;
  if (prefix_.empty()) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto spill = waiting_.find(spilled.id);
    if (spill != waiting_.end() && spill->second.size == spilled.size) bytes = spill->second.bytes;
  } else {
    bytes = LoadFile(PathOf(spilled.id), spilled.size);
  }
  if (bytes == nullptr || format::Crc32c(bytes.get(), spilled.size) != spilled.crc) return nullptr;
  return bytes;
}

}  // namespace shardlog::engine
