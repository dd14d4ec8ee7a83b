#include "engine/arena.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "engine/arena_file.h"
#include "engine/arena_paths.h"
#include "engine/error.h"
#include "format/crc32c.h"
#include "platform/clock.h"
#include "platform/process.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14; older kernels answer EINVAL
#endif

namespace shardlog::engine {
namespace {

// Other threads' page faults and mappings wait for one such call.
constexpr uint64_t kTouchBytes = 256u << 10;

[[noreturn]] void ThrowIo(const char* call, const std::string& path, int error_number) {
  throw Error("ERR_SHARDLOG_IO",
              std::string(call) + " of arena " + path + " failed: " + std::strerror(error_number),
              error_number, call, path);
}

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

// Reads and judges a header. Throws as Arena::Open does.
Geometry CheckHeader(const ArenaHeader& header, uint64_t file_bytes, const std::string& path) {
  if (header.magic != kArenaMagic) {
    throw Error("ERR_SHARDLOG_ARENA_CORRUPT", path + " is not an arena", 0, "", path);
  }
  if (header.version < kOldestArenaVersion || header.version > kArenaVersion) {
    throw Error("ERR_SHARDLOG_ARENA_VERSION",
                path + " was written by arena version " + std::to_string(header.version) +
                    ", this is version " + std::to_string(kArenaVersion) +
                    ": recover it with the shardlog that wrote it",
                0, "", path);
  }
  if (header.content > static_cast<uint32_t>(Content::kRecords) ||
      header.format > static_cast<uint32_t>(Format::kNdjson)) {
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

// Has the kernel answer for a byte. What it is nobody looks at, so it may be written meanwhile.
__attribute__((no_sanitize("thread"))) void Meet(const uint8_t* byte) {
  static_cast<void>(*static_cast<const volatile uint8_t*>(byte));
}

}  // namespace

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
                               : NewShmArenaPath(config.path, info);
  // It appears whole or not at all: what is killed before leaves nothing.
  NewArenaFile file(path, total, info);
  arena->MapFile(file.fd(), total, MAP_SHARED);
  arena->mapping_.Begin(arena->control_, total, file.fd());
  // Reading ahead would fill the page cache with the zeroes of a file that has just been made.
  madvise(arena->control_, total, MADV_RANDOM);
  arena->Layout();
  arena->Initialise(config, info, stream);
  arena->least_blocks_ = BlocksOf(file.fd());
  arena->fd_ = file.Publish();
  arena->path_ = path;
  try {
    arena->Remap(arena->fd_);
  } catch (const Error&) {
    arena->Remove();
    throw;
  }
  madvise(arena->control_, total, MADV_RANDOM);
  arena->may_need_room_ = MayNeedRoom(arena->fd_);
  arena->wants_stores_in_pages_ = WritesBackForRoom(arena->fd_);
  return arena;
}

std::shared_ptr<Arena> Arena::Open(const std::string& path, const io::FileInfo& log) {
  struct stat st;
  ArenaFd fd(OpenArenaFile(path, log, &st));
  if (fd.get() < 0) return nullptr;
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
  if (header.magic == kEmptiedMagic) {
    // What takes its name may say what is in the way, if it still cannot be removed.
    unlink(path.c_str());
    return nullptr;
  }
  std::shared_ptr<Arena> arena(new Arena);
  arena->geometry_ = CheckHeader(header, static_cast<uint64_t>(st.st_size), path);
  arena->MapFile(fd.get(), header.total_bytes, MAP_PRIVATE);
  arena->fd_ = fd.Release();
  arena->path_ = path;
  arena->mapping_.Begin(arena->control_, arena->mapped_bytes_, arena->fd_);
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
  LetGoOfFile();
  if (control_ != nullptr) munmap(control_, mapped_bytes_);
  if (fd_ >= 0) close(fd_);
}

// Nobody stores into it any more.
void Arena::LetGoOfFile() {
  mapping_.End();
  if (file_of_mapping_ >= 0) close(file_of_mapping_);
  file_of_mapping_ = -1;
}

void Arena::KeepChanges() { Remap(fd_); }

void Arena::MapFile(int fd, uint64_t bytes, int sharing) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, sharing, fd, 0);
  if (at == MAP_FAILED) ThrowIo("mmap", path_, errno);
  control_ = static_cast<uint8_t*>(at);
  mapped_bytes_ = bytes;
}

// Another file in the same place. Other threads use the words there meanwhile, which is right: the
// kernel swaps the pages under its own lock. ThreadSanitizer takes a call of mmap for a write.
void Arena::Remap(int fd) {
  int error = 0;
  mapping_.Change(fd, [&] {
    const long at = syscall(SYS_mmap, control_, mapped_bytes_, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_FIXED, fd, 0L);
    error = at == -1 ? errno : 0;
    return at != -1;
  });
  if (error != 0) ThrowIo("mmap", path_, error);
}

void Arena::Layout() {
  claims_ = reinterpret_cast<ClaimWord*>(control_ + ClaimWordsOffset());
  slots_ = reinterpret_cast<SegmentSlot*>(control_ + SlotsOffset(geometry_));
  lessees_ = std::make_unique<LesseeWord[]>(size_t{2} * geometry_.segments_per_set());
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
  h.pid_namespace = platform::PidNamespace();
  h.content = static_cast<uint32_t>(config.content);
  h.format = static_cast<uint32_t>(config.format);
  // Part of a path would be another log's.
  h.path_bytes =
      config.path.size() <= kMaxArenaPathBytes ? static_cast<uint32_t>(config.path.size()) : 0;
  std::memcpy(h.path, config.path.data(), h.path_bytes);
  // [MM init] relaxed: no other thread knows of the arena yet.
  h.journal.generation.store(kNoGeneration, std::memory_order_relaxed);
  h.null_slot.InitSealed();
  h.header_crc = HeaderCrc(h);
  known_ = std::make_unique<ArenaHeader>();
  std::memcpy(static_cast<void*>(known_.get()), &h, sizeof h);
  InitialiseControl(control_, 0);
}

// Behind the header.
void Arena::InitialiseControl(uint8_t* control, uint64_t generation) const {
  auto* const claims = reinterpret_cast<ClaimWord*>(control + ClaimWordsOffset());
  for (uint64_t g = generation; g <= generation + 1; g++) {
    for (uint32_t shard = 0; shard < geometry_.num_shards; shard++) {
      claims[(g & 1) * geometry_.num_shards + shard].Init(ClaimState::Fresh(g));
    }
  }
  for (uint64_t page = kPageBytes; page < control_bytes(); page += kPageBytes) {
    for (const uint64_t at : kMarksInPage) format::Store(control + page + at, kPageMark);
  }
}

void Arena::MakeControl(uint8_t* copy, uint64_t generation) const {
  std::memcpy(copy, static_cast<const void*>(known_.get()), sizeof *known_);
  auto& header = *reinterpret_cast<ArenaHeader*>(copy);
  // [MM init] relaxed: no other thread knows of the copy yet.
  header.active.store(generation, std::memory_order_relaxed);
  header.recycled.store(generation, std::memory_order_relaxed);  // [MM init] relaxed: the same
  header.written.store(generation, std::memory_order_relaxed);   // [MM init] relaxed: the same
  InitialiseControl(copy, generation);
}

FileState Arena::State() const {
  FileState state{mapping_.whole_bytes(), 0, changes()};
  struct stat st;
  if (fd_ < 0 || fstat(fd_, &st) != 0) return state;
  state.bytes = std::min(state.bytes, static_cast<uint64_t>(st.st_size));
  if (least_blocks_ != 0) state.blocks = static_cast<uint64_t>(st.st_blocks);
  return state;
}

bool Arena::IsCut() const {
  if (path_.empty() || fd_ < 0) return false;
  const FileState state = State();
  if (is_doubted_ || state.bytes < mapped_bytes_ || state.blocks < least_blocks_) return true;
  // One that was left may be of a version that marks no pages, and was looked at when it was
  // opened.
  return known_ != nullptr && !IsControlMarked();
}

bool Arena::IsControlWhole() const {
  return !is_doubted_ && State().bytes >= control_bytes() && IsControlMarked();
}

void Arena::DoubtIfCut(int fd) {
  struct stat st;
  is_doubted_ = fstat(fd, &st) != 0 || static_cast<uint64_t>(st.st_size) < control_bytes();
  uint64_t magic = 0;
  is_doubted_ |= pread(fd, &magic, sizeof magic, 0) != sizeof magic || magic != kArenaMagic;
  for (uint64_t page = kPageBytes; page < control_bytes(); page += kPageBytes) {
    for (const uint64_t at : kMarksInPage) {
      uint64_t mark = 0;
      const ssize_t got = pread(fd, &mark, sizeof mark, static_cast<off_t>(page + at));
      is_doubted_ |= got != sizeof mark || mark != kPageMark;
    }
  }
}

bool Arena::HasItsEnd() const {
  Meet(control_ + mapped_bytes_ - 1);
  return !WasMissed();
}

bool Arena::IsMarked(const void* word) const {
  const uint64_t at_word = static_cast<const uint8_t*>(word) - control_;
  const uint8_t* const page = control_ + at_word / kPageBytes * kPageBytes;
  bool is_marked = true;
  for (const uint64_t at : kMarksInPage) {
    // [MM init] relaxed: in pages that were made before anybody knew of them.
    is_marked &= __atomic_load_n(reinterpret_cast<const uint64_t*>(page + at), __ATOMIC_RELAXED) ==
                 kPageMark;
  }
  return is_marked;
}

bool Arena::IsControlMarked() const {
  bool is_whole = header().magic == kArenaMagic;
  for (uint64_t page = kPageBytes; page < control_bytes(); page += kPageBytes) {
    is_whole &= IsMarked(control_ + page);
  }
  return is_whole;
}

bool Arena::HasHoles() const {
  const FileState state = State();
  return least_blocks_ == 0 || state.blocks < least_blocks_ * state.bytes / mapped_bytes_;
}

uint64_t Arena::CountWhole(const uint8_t* from, uint64_t size) const {
  const auto start = static_cast<uint64_t>(from - control_);
  uint64_t end = std::min(start + size, State().bytes);
  if (end <= start) return 0;
  const off_t hole = lseek(fd_, static_cast<off_t>(start), SEEK_HOLE);
  if (hole < 0) return 0;
  end = std::min(end, static_cast<uint64_t>(hole));
  return end - std::min(start, end);
}

int Arena::Touch(uint32_t set, uint32_t shard, uint32_t from, uint32_t to) const {
  uint8_t* const data = shard_data(set, shard);
  const uint64_t end = uint64_t{to} * geometry_.segment_bytes;
  for (uint64_t at = uint64_t{from} * geometry_.segment_bytes; at < end; at += kTouchBytes) {
    const uint64_t bytes = std::min<uint64_t>(end - at, kTouchBytes);
    while (madvise(data + at, bytes, MADV_POPULATE_WRITE) != 0) {
      if (errno != EINTR && errno != EAGAIN) return -errno;
    }
  }
  return 0;
}

void Arena::SetLog(const io::FileInfo& info) {
  header().log_device = info.device;
  header().log_inode = info.inode;
  if (known_ == nullptr) return;
  known_->log_device = info.device;
  known_->log_inode = info.inode;
}

void Arena::AddBlocks(uint64_t blocks) {
  known_->next_sequence += blocks;
  header().next_sequence = known_->next_sequence;
}

int Arena::Remove() {
  if (path_.empty() || (fd_ >= 0 && !IsNamed(path_, fd_))) return 0;
  if (unlink(path_.c_str()) == 0) return 0;
  const int error = errno;
  if (error == ENOENT || fd_ < 0) return -error;
  // A directory that has become append-only, or is not ours any more: what is in the log already
  // must not be recovered again. The memory stays mapped, so that the file keeps its size.
  auto emptied = std::make_unique<ArenaHeader>();
  emptied->magic = kEmptiedMagic;
  const ssize_t put = pwrite(fd_, emptied.get(), sizeof *emptied, 0);
  if (put != static_cast<ssize_t>(sizeof *emptied)) return -error;
  static_cast<void>(fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, sizeof *emptied,
                              static_cast<off_t>(mapped_bytes_ - sizeof *emptied)));
  return 0;
}

int Arena::TakeNameAway() {
  const std::string now = NameNow();
  // It may have been renamed.
  if (!now.empty() && IsNamed(now, fd_) && unlink(now.c_str()) != 0) return -errno;
  return IsNamed(path_, fd_) && unlink(path_.c_str()) != 0 ? -errno : 0;
}

bool Arena::HasItsName() const { return path_.empty() || fd_ < 0 || IsNamed(path_, fd_); }

bool Arena::TakeNameBack() {
  const std::string now = NameNow();
  return IsNamed(now, fd_) && RenameWithoutReplacing(now, path_) == 0;
}

// What is deleted has a name that leads nowhere, or to something else. Empty: it cannot be told.
std::string Arena::NameNow() const {
  char self[64];
  std::snprintf(self, sizeof self, "/proc/self/fd/%d", fd_);
  char now[PATH_MAX];
  const ssize_t length = readlink(self, now, sizeof now);
  return length > 0 ? std::string(now, static_cast<size_t>(length)) : std::string();
}

int Arena::Adopt(int fd, uint64_t blocks) {
  ArenaFd guard(fd);
  Remap(fd);
  is_doubted_ = false;
  const int before = fd_;
  fd_ = guard.Release();
  least_blocks_ = blocks;
  madvise(control_, mapped_bytes_, MADV_RANDOM);
  return before;
}

void Arena::Unlock() {
  if (fd_ < 0) return;
  flock(fd_, LOCK_UN);  // closing does not do it: the mapping keeps the file open
  if (file_of_mapping_ >= 0) close(file_of_mapping_);
  file_of_mapping_ = fd_;  // a thread may still be storing into what another program cuts
  fd_ = -1;
}

void Arena::GiveBack() {
  // Zeroes are words that refuse every accept: no lease has an offset below 8. Where there is no
  // room for another mapping, the memory goes when the last holder does.
  const void* given = mmap(control_, mapped_bytes_, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  if (given != MAP_FAILED) LetGoOfFile();
  if (!separate_shards_) return;
  for (uint8_t* shard : shards_) madvise(shard, geometry_.shard_bytes(), MADV_DONTNEED);
}

void Arena::AbandonAfterFork() {
  // The lock is the parent's, and goes with its last descriptor.
  mapping_.AbandonAfterFork();
  if (fd_ >= 0) close(fd_);
  if (file_of_mapping_ >= 0) close(file_of_mapping_);
  fd_ = file_of_mapping_ = -1;
  // Zeroes are words that refuse every accept: no lease has an offset below 8. Plain memory is the
  // child's own copy, but no flusher runs there, so it is emptied as well.
  const void* emptied = mmap(control_, mapped_bytes_, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  // Without memory for that, a write has to trap: it would go into the parent's log.
  if (emptied == MAP_FAILED) mprotect(control_, mapped_bytes_, PROT_NONE);
}

}  // namespace shardlog::engine
