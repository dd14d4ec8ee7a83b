#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "format/block.h"
#include "io/file.h"

namespace shardlog::io {
namespace {

constexpr size_t kUnknownAlignment = 4096;  // what ext4 and xfs need on 4K-sector devices
constexpr size_t kMaxAlignment =
    32u << 10;  // what BlockEncoder has room for; larger ones waste more than they gain

// The parts of the kernel's struct statx that tell about direct I/O and birth. Spelt out because
// the C libraries that older distributions ship do not know these fields yet (Linux 6.1 has them).
struct Statx {
  uint32_t mask;
  uint8_t before_birth[76];
  int64_t birth_seconds;
  uint32_t birth_nanoseconds;
  uint8_t after_birth[60];
  uint32_t memory_alignment;
  uint32_t offset_alignment;
  uint8_t after[96];
};
static_assert(sizeof(Statx) == 256);
static_assert(offsetof(Statx, birth_seconds) == 80);
static_assert(offsetof(Statx, memory_alignment) == 152);
constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr uint32_t kStatxBirth = 0x800;
constexpr uint32_t kStatxDioAlign = 0x2000;

// What the kernel tells of `wanted`; false if it does not.
bool AskStatx(int fd, uint32_t wanted, Statx* info) {
  std::memset(info, 0, sizeof *info);
  return syscall(SYS_statx, fd, "", AT_EMPTY_PATH, wanted, info) == 0 &&
         (info->mask & wanted) == wanted;
}

uint64_t BirthTime(int fd) {
  Statx info;
  if (!AskStatx(fd, kStatxBirth, &info)) return 0;
  return static_cast<uint64_t>(info.birth_seconds) * kNsPerSecond + info.birth_nanoseconds;
}

// Alignment that direct I/O on fd needs; 0 if the file system says that it has no direct I/O.
size_t DirectAlignment(int fd) {
  Statx info;
  if (!AskStatx(fd, kStatxDioAlign, &info)) return kUnknownAlignment;
  const size_t needed = std::max(info.memory_alignment, info.offset_alignment);
  if (needed == 0) return 0;
  return format::AlignUp(std::max(needed, format::kSectorBytes), format::kSectorBytes);
}

bool LivesInMemory(int fd) {
  struct statfs fs;
  return fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, int buffered_fd, std::string direct_reason, size_t alignment)
      : fd_(fd),
        buffered_fd_(buffered_fd),
        direct_reason_(std::move(direct_reason)),
        alignment_(alignment) {}

  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  ~PosixFile() override {
    flock(fd_, LOCK_UN);  // closing does not do it while a child between fork() and exec() has the
                          // descriptor, too
    close(fd_);
    if (buffered_fd_ != fd_) close(buffered_fd_);
  }

  ssize_t Append(const iovec* parts, int count, uint64_t* end) override {
    return AppendTo(fd_, parts, count, end);
  }

  ssize_t AppendBuffered(const iovec* parts, int count, uint64_t* end) override {
    return AppendTo(buffered_fd_, parts, count, end);
  }

  ssize_t Overwrite(const void* data, size_t size, uint64_t offset) override;

  ssize_t Read(void* to, size_t size, uint64_t offset) override {
    return Result(pread(buffered_fd_, to, size, static_cast<off_t>(offset)));
  }

  int Sync() override { return static_cast<int>(Result(fdatasync(fd_))); }

  uint64_t NextData(uint64_t from) override;
  int Stat(FileInfo* info) override;

  int Lock() override { return static_cast<int>(Result(flock(fd_, LOCK_EX | LOCK_NB))); }

  void AbandonAfterFork() override {
    close(fd_);
    if (buffered_fd_ != fd_) close(buffered_fd_);
  }

  bool direct() const override { return direct_reason_.empty(); }
  const std::string& direct_reason() const override { return direct_reason_; }
  size_t alignment() const override { return alignment_; }

 private:
  static ssize_t Result(ssize_t value) { return value < 0 ? -errno : value; }

  // The descriptor's position is ours alone: behind an append it says where that ended.
  static ssize_t AppendTo(int fd, const iovec* parts, int count, uint64_t* end) {
    const ssize_t result = Result(writev(fd, parts, count));
    if (result > 0) *end = static_cast<uint64_t>(lseek(fd, 0, SEEK_CUR));
    return result;
  }

  const int fd_;
  const int buffered_fd_;  // the same file through the page cache; fd_ itself if that is not direct
  const std::string direct_reason_;
  const size_t alignment_;
};

void CopyInfo(const struct stat& from, FileInfo* to) {
  to->device = from.st_dev;
  to->inode = from.st_ino;
  to->size = static_cast<uint64_t>(from.st_size);
  to->links = from.st_nlink;
  to->owner = from.st_uid;
  to->changed_time = static_cast<uint64_t>(from.st_mtim.tv_sec) * kNsPerSecond +
                     static_cast<uint64_t>(from.st_mtim.tv_nsec);
}

// Nothing of ours goes by the descriptor's own offset, which this moves.
uint64_t PosixFile::NextData(uint64_t from) {
  const off_t at = lseek(fd_, static_cast<off_t>(from), SEEK_DATA);
  if (at >= 0) return static_cast<uint64_t>(at);
  return errno == ENXIO ? UINT64_MAX : from;  // a file system may not know
}

int PosixFile::Stat(FileInfo* info) {
  struct stat st;
  if (fstat(fd_, &st) != 0) return -errno;
  CopyInfo(st, info);
  info->birth_time = BirthTime(fd_);
  return 0;
}

// pwrite to a descriptor with O_APPEND appends, whatever its offset.
ssize_t PosixFile::Overwrite(const void* data, size_t size, uint64_t offset) {
  const int flags = fcntl(buffered_fd_, F_GETFL);
  if (flags < 0 || fcntl(buffered_fd_, F_SETFL, flags & ~O_APPEND) != 0) return -errno;
  const ssize_t result = Result(pwrite(buffered_fd_, data, size, static_cast<off_t>(offset)));
  if (fcntl(buffered_fd_, F_SETFL, flags) != 0) return -errno;
  return result;
}

class PosixFiles final : public FileSystem {
 public:
  std::unique_ptr<File> Open(const std::string& path, const OpenOptions& options, int* error,
                             const char** call) override {
    *call = "open";
    const int sync_flag = options.dsync ? O_DSYNC : 0;
    const int create_flag = options.create ? O_CREAT : 0;
    const int buffered =
        open(path.c_str(), O_RDWR | create_flag | O_APPEND | O_CLOEXEC | sync_flag, 0644);
    if (buffered < 0) return Fail(error, -errno, -1);
    struct stat st;
    if (fstat(buffered, &st) != 0) return Fail(error, -errno, buffered);
    if (!S_ISREG(st.st_mode)) return Fail(error, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL, buffered);
    std::string reason;
    size_t alignment = format::kSectorBytes;
    const int direct = OpenDirect(path, options, buffered, sync_flag, &reason, &alignment);
    const bool must_fail = options.direct == DirectIo::kRequired || direct == -ESTALE;
    if (direct < 0 && must_fail) return Fail(error, direct, buffered);
    *error = 0;
    return std::make_unique<PosixFile>(direct < 0 ? buffered : direct, buffered, reason, alignment);
  }

  int StatPath(const std::string& path, FileInfo* info) override {
    struct stat st;
    if (stat(path.c_str(), &st) != 0) return -errno;
    CopyInfo(st, info);
    return 0;
  }

  std::vector<std::string> Siblings(const std::string& path) override {
    const size_t slash = path.rfind('/') + 1;  // 0 without one
    const std::string directory = slash == 0 ? "./" : path.substr(0, slash);
    const std::string name = path.substr(slash);
    const size_t dot = name.rfind('.');
    const bool has_extension = dot != std::string::npos && dot != 0;
    const std::string stem = has_extension ? name.substr(0, dot) : name;
    std::vector<std::string> found;
    std::vector<std::string> folders;
    AddNamed(directory, stem, &found, &folders);
    std::erase(found, directory + name);
    for (const std::string& folder : folders) AddNamed(folder, stem, &found, nullptr);
    std::sort(found.begin(), found.end());
    return found;
  }

  int SyncDirectory(const std::string& path) override {
    // The name that counts is the last of a chain of symbolic links.
    const std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), &std::free);
    if (real == nullptr) return -errno;
    const std::string name = real.get();
    const std::string directory = name.substr(0, name.rfind('/') + 1);
    const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    const int result = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return result;
  }

 private:
  // Adds the files of the directory whose names begin with the stem, and its folders that are not
  // hidden, also by symbolic links. What may not be read has none.
  static void AddNamed(const std::string& directory, const std::string& stem,
                       std::vector<std::string>* found, std::vector<std::string>* folders) {
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()), &closedir);
    if (entries == nullptr) return;
    while (const dirent* entry = readdir(entries.get())) {
      const std::string name = entry->d_name;
      if (folders != nullptr && name[0] != '.' && IsFolder(directory + name, entry->d_type)) {
        folders->push_back(directory + name + "/");
      } else if (name.rfind(stem, 0) == 0) {
        found->push_back(directory + name);
      }
    }
  }

  // `type`: as the directory says. Not every file system tells it.
  static bool IsFolder(const std::string& path, unsigned char type) {
    if (type != DT_LNK && type != DT_UNKNOWN) return type == DT_DIR;
    struct stat info;
    return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  }

  static std::unique_ptr<File> Fail(int* error, int code, int fd) {
    if (fd >= 0) close(fd);
    *error = code;
    return nullptr;
  }

  // A second descriptor of the file behind `buffered`, for direct I/O; -errno with *reason in words
  // otherwise.
  static int OpenDirect(const std::string& path, const OpenOptions& options, int buffered,
                        int sync_flag, std::string* reason, size_t* alignment) {
    if (options.direct == DirectIo::kOff) {
      *reason = "directIO is 'off'";
      return -EINVAL;
    }
    if (LivesInMemory(buffered)) {
      *reason = "the file system keeps its files in memory (tmpfs or ramfs)";
      return -EINVAL;
    }
    const size_t needed = DirectAlignment(buffered);
    if (needed == 0 || needed > kMaxAlignment) {
      *reason = needed == 0 ? "the file system says that it does not support direct I/O"
                            : "the file system supports direct I/O only in units of " +
                                  std::to_string(needed) + " bytes";
      return -EINVAL;
    }
    const int fd = open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_DIRECT | sync_flag);
    if (fd < 0) {
      const int code = -errno;
      *reason = std::string("open with O_DIRECT failed: ") + std::strerror(-code);
      return code;
    }
    struct stat st;
    struct stat direct_st;
    if (fstat(buffered, &st) != 0 || fstat(fd, &direct_st) != 0 || st.st_ino != direct_st.st_ino) {
      // Replaced between the two opens: the next attempt sees one file again.
      *reason = "the file was replaced while it was being opened";
      close(fd);
      return -ESTALE;
    }
    *alignment = needed;
    return fd;
  }
};

}  // namespace

FileSystem& PosixFileSystem() {
  static PosixFiles* const files = new PosixFiles;  // never destroyed: flushers may outlive statics
  return *files;
}

}  // namespace shardlog::io
