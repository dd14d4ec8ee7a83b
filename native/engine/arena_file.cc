#include "engine/arena_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "engine/arena_paths.h"
#include "engine/error.h"

namespace shardlog::engine {
namespace {

constexpr uint32_t kRoot = 0;
constexpr uint64_t kBlockBytes = 512;  // of st_blocks
constexpr mode_t kMode = 0600;
constexpr mode_t kOthersMayWrite = S_IWGRP | S_IWOTH;

[[noreturn]] void ThrowIo(const char* call, const std::string& path, int error_number) {
  throw Error("ERR_SHARDLOG_IO",
              std::string(call) + " of arena " + path + " failed: " + std::strerror(error_number),
              error_number, call, path);
}

[[noreturn]] void ThrowOwner(const std::string& path, const std::string& why) {
  throw Error("ERR_SHARDLOG_ARENA_OWNER",
              path + " " + why + "; it is left alone, and may be what another user put there", 0,
              "", path);
}

[[noreturn]] void ThrowCannotMake(const char* call, const std::string& path, int error_number) {
  const bool forbidden = error_number == EACCES || error_number == EPERM || error_number == EROFS;
  const char* hint = forbidden ? "; option arenaDir puts it into another directory" : "";
  const bool is_full = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  if (is_full) hint = "; a smaller bufferSize needs less";
  throw Error(
      "ERR_SHARDLOG_IO",
      "cannot make the arena " + path + ": " + call + ": " + std::strerror(error_number) + hint,
      error_number, call, path);
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

// Whether names stay in the directory for ever (chattr +a). False where the file system does not
// know, or does not tell us.
bool IsAppendOnly(const std::string& directory) {
  const ArenaFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int flags = 0;
  return fd.get() >= 0 && ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) == 0 &&
         (flags & FS_APPEND_FL) != 0;
}

// As open(2), also where a signal interrupts it.
int Open(const std::string& path, int flags, mode_t mode) {
  for (;;) {
    const int fd = open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd >= 0 || errno != EINTR) return fd;
  }
}

// A copy-on-write file system needs new blocks for pages that have been written once already, and
// answers a store by SIGBUS if it has none. The file is empty: later it cannot be told to.
void WriteInPlace(int fd) {
  struct statfs fs;
  if (fstatfs(fd, &fs) != 0 || fs.f_type != BTRFS_SUPER_MAGIC) return;
  int flags = 0;
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return;
  flags |= FS_NOCOW_FL;
  // Where it is refused, the flusher finds out before it gives a set to the producers again.
  static_cast<void>(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

}  // namespace

ArenaFd::~ArenaFd() {
  if (fd_ >= 0) close(fd_);
}

void ArenaFd::Reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

int ArenaFd::Release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

bool IsTrustedOwner(uint32_t owner, const io::FileInfo& log) {
  return owner == geteuid() || owner == log.owner || owner == kRoot;
}

std::string WhyDistrusted(const struct stat& st, const io::FileInfo& log) {
  if (!S_ISREG(st.st_mode)) return "is not a regular file";
  if (!IsTrustedOwner(st.st_uid, log)) {
    return "belongs to user " + std::to_string(st.st_uid) +
           ", who is neither the caller nor the owner of the log";
  }
  if ((st.st_mode & kOthersMayWrite) != 0) return "may be written by its group or by everybody";
  if (st.st_nlink > 1) return "has " + std::to_string(st.st_nlink) + " names";
  return "";
}

int OpenArenaFile(const std::string& path, const io::FileInfo& log, struct stat* st) {
  // First by its name: opening a device may already do something.
  if (lstat(path.c_str(), st) != 0) {
    // A name that is too long for a file is none of an arena's.
    if (errno == ENOENT || errno == ENAMETOOLONG) return -1;
    ThrowIo("lstat", path, errno);
  }
  std::string why = WhyDistrusted(*st, log);
  if (!why.empty()) ThrowOwner(path, why);
  ArenaFd fd(Open(path, O_RDWR | O_NONBLOCK, 0));
  if (fd.get() < 0) {
    if (errno == ENOENT) return -1;
    if (errno == EACCES && st->st_uid != geteuid()) {
      ThrowOwner(path, "belongs to user " + std::to_string(st->st_uid) + " and cannot be opened");
    }
    if (errno == ELOOP) ThrowOwner(path, "is a symbolic link");
    ThrowIo("open", path, errno);
  }
  // Then what was opened, which may be another by now.
  if (fstat(fd.get(), st) != 0) ThrowIo("fstat", path, errno);
  why = WhyDistrusted(*st, log);
  if (!why.empty()) ThrowOwner(path, why);
  return fd.Release();
}

NewArenaFile::NewArenaFile(const std::string& path, uint64_t bytes, const io::FileInfo& log)
    : path_(path), log_(log) {
  // It could be made, and then neither a close nor the next opening would get rid of it.
  if (IsAppendOnly(DirectoryOf(path))) ThrowCannotMake("directory is append-only", path, EPERM);
  MakeNameless();
  if (fd_ < 0) MakeNamed();
  try {
    GrantOurselves();
    WriteInPlace(fd_);
    Reserve(bytes);
    if (flock(fd_, LOCK_EX | LOCK_NB) != 0) ThrowCannotMake("flock", path_, errno);
  } catch (const Error&) {
    if (!temporary_.empty()) unlink(temporary_.c_str());
    close(fd_);
    throw;
  }
}

NewArenaFile::~NewArenaFile() {
  if (fd_ < 0) return;
  if (!temporary_.empty()) unlink(temporary_.c_str());
  close(fd_);
}

// What is killed before it has a name leaves nothing.
void NewArenaFile::MakeNameless() {
  fd_ = Open(DirectoryOf(path_), O_TMPFILE | O_RDWR, kMode);
  if (fd_ >= 0 && access("/proc/self/fd", X_OK) != 0) {
    close(fd_);
    fd_ = -1;
  }
}

// Where the file system has no nameless files, or there is no /proc to name them by.
void NewArenaFile::MakeNamed() {
  temporary_ = path_ + ".new";
  struct stat st;
  if (lstat(temporary_.c_str(), &st) == 0) {
    const std::string why = WhyDistrusted(st, log_);
    if (!why.empty()) ThrowOwner(temporary_, why);
    unlink(temporary_.c_str());  // of a process that was killed while it made its arena
  }
  fd_ = Open(temporary_, O_RDWR | O_CREAT | O_EXCL, kMode);
  if (fd_ < 0) ThrowCannotMake("open", path_, errno);
}

// A umask that takes the right from us, too, would keep us from opening it by its name. Nothing is
// changed where it did not: file systems without such rights, as FAT, refuse to.
void NewArenaFile::GrantOurselves() {
  struct stat st;
  if (fstat(fd_, &st) != 0) ThrowCannotMake("fstat", path_, errno);
  const bool granted = (st.st_mode & kMode) == kMode;
  if (!granted && fchmod(fd_, kMode) != 0) ThrowCannotMake("fchmod", path_, errno);
}

void NewArenaFile::Reserve(uint64_t bytes) {
  int failed = 0;
  do {
    failed = posix_fallocate(fd_, 0, static_cast<off_t>(bytes));
  } while (failed == EINTR);
  if (failed != 0) ThrowCannotMake("fallocate", path_, failed);
}

int NewArenaFile::Publish() {
  int error = Link();
  if (error == EEXIST && MoveRootsAside() == 0) error = Link();
  if (error == EEXIST) ThrowTaken();
  if (error != 0) ThrowCannotMake("link", path_, error);
  temporary_.clear();
  try {
    return LockByName();
  } catch (const Error&) {
    if (IsNamed(path_, fd_)) unlink(path_.c_str());
    throw;
  }
}

int NewArenaFile::LockByName() {
  struct stat st;
  ArenaFd named(OpenArenaFile(path_, log_, &st));
  if (named.get() < 0 || !IsNamed(path_, fd_)) ThrowTaken();
  // Two can share a lock: nobody finds the file unlocked in between, and takes for left what we are
  // about to use.
  flock(fd_, LOCK_SH | LOCK_NB);
  if (flock(named.get(), LOCK_SH | LOCK_NB) != 0) ThrowTaken();
  flock(fd_, LOCK_UN);
  if (flock(named.get(), LOCK_EX | LOCK_NB) != 0) ThrowTaken();
  return named.Release();
}

// 0 or a positive errno. Never replaces what has the name.
int NewArenaFile::Link() const {
  if (temporary_.empty()) {
    char self[64];
    std::snprintf(self, sizeof self, "/proc/self/fd/%d", fd_);
    return linkat(AT_FDCWD, self, AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
  }
  return RenameWithoutReplacing(temporary_, path_);
}

// An arena that root left of our log is not for us to read, but does not have to keep us from
// logging: root recovers it with `shardlog recover --force`. 0 if it was one and is out of the way.
int NewArenaFile::MoveRootsAside() const {
  struct stat st;
  if (geteuid() == kRoot || lstat(path_.c_str(), &st) != 0) return -1;
  if (st.st_uid != kRoot || !WhyDistrusted(st, log_).empty()) return -1;
  return rename(path_.c_str(), AsidePlace(path_).c_str());
}

void NewArenaFile::ThrowTaken() const {
  struct stat st;
  const ArenaFd fd(OpenArenaFile(path_, log_, &st));
  throw Error("ERR_SHARDLOG_LOCKED", path_ + " was made by another process just now", EEXIST,
              "link", path_);
}

void MakeWay(const std::string& path, const io::FileInfo& log) {
  struct stat st;
  if (lstat(path.c_str(), &st) != 0) return;
  const std::string why = WhyDistrusted(st, log);
  if (!why.empty()) ThrowOwner(path, why);
  // A running process would do the same to us.
  const ArenaFd fd(Open(path, O_RDWR | O_NONBLOCK, 0));
  if (fd.get() >= 0 && flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw Error("ERR_SHARDLOG_LOCKED", path + " belongs to a running process", 0, "flock", path);
  }
  const int error = RenameWithoutReplacing(path, AsidePlace(path));
  if (error != 0) ThrowIo("rename", path, error);
}

bool MayNeedRoom(int fd) {
  struct statfs fs;
  if (fstatfs(fd, &fs) != 0) return true;
  return fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != TMPFS_MAGIC;
}

bool WritesBackForRoom(int fd) {
  struct statfs fs;
  return fstatfs(fd, &fs) == 0 && fs.f_type == BTRFS_SUPER_MAGIC;
}

uint64_t BlocksOf(int fd) {
  struct statfs fs;
  struct stat st;
  if (fstatfs(fd, &fs) != 0 || fstat(fd, &st) != 0) return 0;
  const bool is_known = fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == TMPFS_MAGIC ||
                        fs.f_type == XFS_SUPER_MAGIC || fs.f_type == OVERLAYFS_SUPER_MAGIC;
  // Some are of the file system's own, which may need fewer of them later.
  const uint64_t ours = static_cast<uint64_t>(st.st_size) / kBlockBytes;
  return is_known && static_cast<uint64_t>(st.st_blocks) >= ours ? ours : 0;
}

int RenameWithoutReplacing(const std::string& from, const std::string& to) {
  if (syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
    return 0;
  }
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // The file system cannot.
  if (link(from.c_str(), to.c_str()) != 0) return errno;
  unlink(from.c_str());
  return 0;
}

bool IsNamed(const std::string& path, int fd) {
  struct stat named;
  struct stat ours;
  return lstat(path.c_str(), &named) == 0 && fstat(fd, &ours) == 0 && named.st_dev == ours.st_dev &&
         named.st_ino == ours.st_ino;
}

}  // namespace shardlog::engine
