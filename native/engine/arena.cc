#include "engine/arena.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "engine/arena_places.h"
#include "engine/error.h"
#include "format/crc32c.h"
#include "platform/clock.h"
#include "platform/process.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14; older kernels answer EINVAL
#endif

namespace shardlog::engine {
namespace {

constexpr char kShmDirectory[] = "/dev/shm/";

[[noreturn]] void ThrowIo(const char* call, const std::string& path, int error_number) {
  throw Error("ERR_SHARDLOG_IO",
              std::string(call) + " of arena " + path + " failed: " + std::strerror(error_number),
              error_number, call, path);
}

// Closes a descriptor on the way out of a failed open.
class FdGuard {
 public:
  explicit FdGuard(int fd) : fd_(fd) {}
  ~FdGuard() {
    if (fd_ >= 0) close(fd_);
  }
  FdGuard(const FdGuard&) = delete;
  FdGuard& operator=(const FdGuard&) = delete;
  int get() const { return fd_; }
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

uint32_t HeaderCrc(const ArenaHeader& header) {
  return format::Crc32c(&header, kArenaHeaderCrcBytes);
}

// MADV_DONTFORK or MADV_DOFORK for whole pages; other memory shares its pages with the rest of the
// process. True if done.
bool AdviseFork(uint8_t* at, uint64_t bytes, int advice) {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  if (reinterpret_cast<uintptr_t>(at) % page != 0 || bytes % page != 0) return false;
  return madvise(at, bytes, advice) == 0;
}

// Whatever is at `path` in /dev/shm and another user's is not looked into. `st`: what is there.
void CheckOwner(const std::string& path, const struct stat& st, const io::FileInfo& log) {
  if (path.rfind(kShmDirectory, 0) != 0 || IsTrustedOwner(st.st_uid, log)) return;
  throw Error("ERR_SHARDLOG_ARENA_OWNER",
              path + " belongs to user " + std::to_string(st.st_uid) +
                  ", who is neither the caller nor the owner of the log",
              0, "", path);
}

// For a call that a file which others have put in the way made fail, or anything else.
[[noreturn]] void ThrowIoOrOwner(const char* call, const std::string& path, int error_number,
                                 const io::FileInfo& log) {
  struct stat st;
  if (lstat(path.c_str(), &st) == 0) CheckOwner(path, st, log);
  ThrowIo(call, path, error_number);
}

// As ThrowIoOrOwner, for an arena that is being made.
[[noreturn]] void ThrowCannotMake(const char* call, const std::string& path, int error_number,
                                  const io::FileInfo& log) {
  if (error_number == EACCES || error_number == EPERM || error_number == EROFS) {
    throw Error("ERR_SHARDLOG_IO",
                "cannot make the arena " + path + ": " + call + ": " + std::strerror(error_number) +
                    "; option arenaDir puts it into another directory",
                error_number, call, path);
  }
  ThrowIoOrOwner(call, path, error_number, log);
}

// Reads and judges a header. Throws as Arena::Open does.
Geometry CheckHeader(const ArenaHeader& header, uint64_t file_bytes, const std::string& path) {
  if (header.magic != kArenaMagic) {
    throw Error("ERR_SHARDLOG_ARENA_CORRUPT", path + " is not an arena", 0, "", path);
  }
  if (header.version != kArenaVersion) {
    throw Error("ERR_SHARDLOG_ARENA_VERSION",
                path + " was written by arena version " + std::to_string(header.version) +
                    ", this is version " + std::to_string(kArenaVersion) +
                    ": recover it with the shardlog that wrote it",
                0, "", path);
  }
  if (header.content > static_cast<uint32_t>(Content::kRecords) ||
      header.form > static_cast<uint32_t>(Form::kText)) {
    throw Error("ERR_SHARDLOG_ARENA_VERSION",
                path +
                    " holds what this version does not know: recover it with the shardlog that " +
                    "wrote it",
                0, "", path);
  }
  if (header.header_crc != HeaderCrc(header)) {
    throw Error("ERR_SHARDLOG_ARENA_CORRUPT", path + " has a damaged header", 0, "", path);
  }
  const Geometry geometry{header.num_shards, header.segments_per_shard, header.segment_bytes};
  if (!geometry.IsSane() || header.data_offset != DataOffset(geometry) ||
      header.total_bytes != header.data_offset + 2 * geometry.set_bytes()) {
    throw Error("ERR_SHARDLOG_ARENA_VERSION",
                path + " has a geometry that this version cannot read", 0, "", path);
  }
  if (file_bytes < header.total_bytes) {
    throw Error("ERR_SHARDLOG_ARENA_CORRUPT",
                path + " is truncated: " + std::to_string(file_bytes) + " of " +
                    std::to_string(header.total_bytes) + " bytes",
                0, "", path);
  }
  return geometry;
}

}  // namespace

bool IsTrustedOwner(uint32_t owner, const io::FileInfo& log) {
  return owner == geteuid() || owner == log.owner;
}

std::shared_ptr<Arena> Arena::Create(const Config& config, const io::FileInfo& info,
                                     uint64_t stream) {
  std::shared_ptr<Arena> arena(new Arena);
  arena->geometry_ = Geometry::ForBuffer(config.buffer_bytes, config.num_shards);
  const uint64_t total = DataOffset(arena->geometry_) + 2 * arena->geometry_.set_bytes();
  if (config.crash_safe == CrashSafe::kOff) {
    arena->AllocateShards(config.use_mmap);
    arena->Initialise(config, info, stream);
    return arena;
  }
  const std::string path = config.crash_safe == CrashSafe::kFile
                               ? FileArenaPath(config.path, config.arena_dir)
                               : ShmArenaPath(info);
  // The caller holds the log's lock, so nobody else makes this file at the same time; one that a
  // killed process left is replaced. Nothing is opened that others put there: /dev/shm is
  // everybody's. The rename makes the arena appear whole or not at all.
  const std::string temporary = path + ".new";
  unlink(temporary.c_str());
  FdGuard fd(open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() < 0) ThrowCannotMake("open", temporary, errno, info);
  const int failed = posix_fallocate(fd.get(), 0, static_cast<off_t>(total));
  if (failed != 0) {
    unlink(temporary.c_str());
    ThrowIo("fallocate", temporary, failed);
  }
  try {
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) ThrowIo("flock", temporary, errno);
    arena->MapFile(fd.get(), total);
  } catch (const Error&) {
    unlink(temporary.c_str());
    throw;
  }
  arena->fd_ = fd.Release();
  arena->Layout();
  arena->Initialise(config, info, stream);
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    const int error_number = errno;
    unlink(temporary.c_str());
    ThrowCannotMake("rename", path, error_number, info);
  }
  arena->path_ = path;
  return arena;
}

std::shared_ptr<Arena> Arena::Open(const std::string& path, const io::FileInfo& log) {
  FdGuard fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (fd.get() < 0) {
    // A name that is too long for a file is none of an arena's.
    if (errno == ENOENT || errno == ENAMETOOLONG) return nullptr;
    ThrowIoOrOwner("open", path, errno, log);
  }
  struct stat st;
  if (fstat(fd.get(), &st) != 0) ThrowIo("fstat", path, errno);
  CheckOwner(path, st, log);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) ThrowIo("flock", path, errno);
    throw Error("ERR_SHARDLOG_LOCKED", path + " belongs to a running process", 0, "flock", path);
  }
  ArenaHeader header;
  const ssize_t got = pread(fd.get(), &header, sizeof header, 0);
  if (got < 0) ThrowIo("pread", path, errno);
  if (got != sizeof header) {
    throw Error("ERR_SHARDLOG_ARENA_CORRUPT", path + " is too short for an arena", 0, "", path);
  }
  std::shared_ptr<Arena> arena(new Arena);
  arena->geometry_ = CheckHeader(header, static_cast<uint64_t>(st.st_size), path);
  arena->MapFile(fd.get(), header.total_bytes);
  arena->fd_ = fd.Release();
  arena->path_ = path;
  arena->Layout();
  return arena;
}

Arena::~Arena() {
  for (size_t i = 0; separate_shards_ && i < shards_.size(); i++) {
    // Memory that a child would not get must not become somebody else's.
    if (kept_from_children_[i] && !AdviseFork(shards_[i], geometry_.shard_bytes(), MADV_DOFORK))
      continue;
    std::free(shards_[i]);
  }
  if (control_ != nullptr) munmap(control_, mapped_bytes_);
  if (fd_ >= 0) close(fd_);
}

void Arena::MapFile(int fd, uint64_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) ThrowIo("mmap", path_, errno);
  control_ = static_cast<uint8_t*>(at);
  mapped_bytes_ = bytes;
}

void Arena::Layout() {
  claims_ = reinterpret_cast<ClaimWord*>(control_ + ClaimWordsOffset());
  slots_ = reinterpret_cast<SegmentSlot*>(control_ + SlotsOffset(geometry_));
  if (separate_shards_) return;
  for (uint32_t i = 0; i < 2 * geometry_.num_shards; i++) {
    shards_.push_back(control_ + DataOffset(geometry_) + i * geometry_.shard_bytes());
  }
}

void Arena::AllocateShards(bool one_mapping) {
  separate_shards_ = !one_mapping;
  const uint64_t bytes = DataOffset(geometry_) + (one_mapping ? 2 * geometry_.set_bytes() : 0);
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) ThrowIo("mmap", "(memory)", errno);
  control_ = static_cast<uint8_t*>(at);
  mapped_bytes_ = bytes;
  for (uint32_t i = 0; separate_shards_ && i < 2 * geometry_.num_shards; i++) {
    void* shard = std::aligned_alloc(kPageBytes, geometry_.shard_bytes());
    if (shard == nullptr) ThrowIo("aligned_alloc", "(memory)", ENOMEM);
    shards_.push_back(static_cast<uint8_t*>(shard));
  }
  Layout();
  KeepFromChildren();
}

// A child of fork() never touches the data, and sharing it with one would make each page that
// producers write to afterwards fault and be copied, at every start of a child process.
void Arena::KeepFromChildren() {
  for (uint8_t* shard : shards_) {
    kept_from_children_.push_back(AdviseFork(shard, geometry_.shard_bytes(), MADV_DONTFORK));
  }
}

void Arena::Initialise(const Config& config, const io::FileInfo& info, uint64_t stream) {
  ArenaHeader& h = header();
  const platform::ProcessIdentity self = platform::CurrentProcess();
  h.magic = kArenaMagic;
  h.version = kArenaVersion;
  h.num_shards = geometry_.num_shards;
  h.segments_per_shard = geometry_.segments_per_shard;
  h.segment_bytes = geometry_.segment_bytes;
  h.data_offset = DataOffset(geometry_);
  h.total_bytes = h.data_offset + 2 * geometry_.set_bytes();
  h.stream = stream;
  h.created_time = platform::RealtimeNs();
  SetLog(info);
  h.owner_pid = self.pid;
  h.owner_start = self.start_ticks;
  h.boot_id = self.boot_id;
  h.content = static_cast<uint32_t>(config.content);
  h.form = static_cast<uint32_t>(config.form);
  // Part of a path would be another log's.
  h.path_bytes =
      config.path.size() <= kMaxArenaPathBytes ? static_cast<uint32_t>(config.path.size()) : 0;
  std::memcpy(h.path, config.path.data(), h.path_bytes);
  // [MM init] relaxed: no other thread knows of the arena yet.
  h.journal.generation.store(kNoGeneration, std::memory_order_relaxed);
  h.null_slot.MakeNull();
  for (uint32_t shard = 0; shard < geometry_.num_shards; shard++) {
    claim(0, shard).Reset(0);
    claim(1, shard).Reset(1);
  }
  h.header_crc = HeaderCrc(h);
}

bool Arena::Populate(uint32_t set, uint32_t shard) const {
  return madvise(shard_data(set, shard), geometry_.shard_bytes(), MADV_POPULATE_WRITE) == 0;
}

void Arena::SetLog(const io::FileInfo& info) {
  header().log_device = info.device;
  header().log_inode = info.inode;
}

int Arena::Remove() {
  if (path_.empty()) return 0;
  return unlink(path_.c_str()) == 0 ? 0 : -errno;
}

void Arena::Unlock() {
  if (fd_ < 0) return;
  flock(fd_, LOCK_UN);  // closing does not do it: the mapping keeps the file open
  close(fd_);
  fd_ = -1;
}

void Arena::AbandonAfterFork() {
  // Zeroes are words that refuse every accept: no lease has an offset below 8. Plain memory is the
  // child's own copy, but no flusher runs there, so it is emptied as well.
  const void* emptied = mmap(control_, mapped_bytes_, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  // Without memory for that, a write has to trap: it would go into the parent's log.
  if (emptied == MAP_FAILED) mprotect(control_, mapped_bytes_, PROT_NONE);
}

}  // namespace shardlog::engine
