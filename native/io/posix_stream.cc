#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "io/stream.h"

namespace shardlog::io {
namespace {

constexpr size_t kWholeWrites = size_t{1} << 20;

timespec AsTimespec(uint64_t ns) {
  return {static_cast<time_t>(ns / 1'000'000'000u), static_cast<long>(ns % 1'000'000'000u)};
}

// The descriptor, and an eventfd by which others end a sleep.
class Descriptor : public Stream {
 public:
  Descriptor(int fd, int wake_fd, const FileInfo& info) : fd_(fd), wake_fd_(wake_fd), info_(info) {}
  ~Descriptor() override {
    close(fd_);
    close(wake_fd_);
  }

  void AwaitRoom(uint64_t timeout_ns) override {
    pollfd waits[] = {{wake_fd_, POLLIN, 0}, {fd_, POLLOUT, 0}};
    Poll(waits, 2, timeout_ns);
  }

  void Pause(uint64_t timeout_ns) override {
    pollfd wait = {wake_fd_, POLLIN, 0};
    Poll(&wait, 1, timeout_ns);
  }

  void Interrupt() override {
    // It fails only if it is interrupted already.
    static_cast<void>(eventfd_write(wake_fd_, 1));
  }

  bool MayPass(int error) const override { return error == ENOMEM || error == ENOBUFS; }
  FileInfo info() const override { return info_; }

 protected:
  int fd() const { return fd_; }

 private:
  // `waits` begins with the eventfd.
  void Poll(pollfd* waits, nfds_t count, uint64_t timeout_ns) const {
    const timespec limit = AsTimespec(timeout_ns);
    ppoll(waits, count, timeout_ns == UINT64_MAX ? nullptr : &limit, nullptr);
    eventfd_t wakes = 0;
    if ((waits->revents & POLLIN) != 0) eventfd_read(wake_fd_, &wakes);
  }

  const int fd_;
  const int wake_fd_;
  const FileInfo info_;
};

ssize_t Result(ssize_t result) { return result < 0 ? -errno : result; }

// A pipe or terminal that is open for us alone, with O_NONBLOCK.
class NonBlocking : public Descriptor {
 public:
  using Descriptor::Descriptor;
  ssize_t Write(const void* data, size_t size) override { return Result(write(fd(), data, size)); }
  size_t atomic_bytes() const override { return PIPE_BUF; }
};

// A pipe. Each process has an open file of its own for it, so that their locks exclude each other;
// what another program writes is not kept off.
class Pipe final : public NonBlocking {
 public:
  using NonBlocking::NonBlocking;
  bool Hold(bool alone) override {
    return flock(fd(), (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  }
  void Release() override { flock(fd(), LOCK_UN); }
  bool HasRoom() override {
    pollfd room = {fd(), POLLOUT, 0};
    return poll(&room, 1, 0) > 0;
  }
};

class Socket final : public Descriptor {
 public:
  using Descriptor::Descriptor;
  ssize_t Write(const void* data, size_t size) override {
    return Result(send(fd(), data, size, MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  size_t atomic_bytes() const override { return PIPE_BUF; }
};

// One whose flags belong to others as well. What poll finds room for a write of PIPE_BUF into,
// takes it at once; a terminal may have room for less, so that the last bytes of a write may have
// to wait for it.
class Shared final : public Descriptor {
 public:
  using Descriptor::Descriptor;
  ssize_t Write(const void* data, size_t size) override {
    pollfd room = {fd(), POLLOUT, 0};
    const int ready = poll(&room, 1, 0);
    if (ready <= 0) return ready == 0 ? -EAGAIN : -errno;
    return Result(write(fd(), data, std::min(size, size_t{PIPE_BUF})));
  }
  size_t atomic_bytes() const override { return PIPE_BUF; }
};

// A file, at the offset that it is shared with others at, or appended to; and whatever else takes
// what it is given, as /dev/null does.
class Plain final : public Descriptor {
 public:
  using Descriptor::Descriptor;
  ssize_t Write(const void* data, size_t size) override { return Result(write(fd(), data, size)); }
  size_t atomic_bytes() const override { return kWholeWrites; }
  bool MayPass(int error) const override {
    return error != EPIPE && error != EBADF && error != EINVAL && error != ENXIO;
  }
};

int CheckWritable(int fd, const struct stat& status, const char** call) {
  const int flags = fcntl(fd, F_GETFL);
  *call = "fcntl";
  if (flags < 0) return -errno;
  *call = "write";
  if ((flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH) != 0) return -EBADF;
  if (S_ISDIR(status.st_mode)) return -EISDIR;
  if (!S_ISSOCK(status.st_mode)) return 0;
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return -errno;
  // Datagrams have a size of their own, which lines do not keep to.
  return type == SOCK_STREAM ? 0 : -EPROTOTYPE;
}

int StatWritable(int fd, struct stat* status, const char** call) {
  *call = "fstat";
  if (fstat(fd, status) != 0) return -errno;
  return CheckWritable(fd, *status, call);
}

// A new open file for what a pipe or terminal descriptor leads to. -1 where that cannot be had:
// without /proc, of another user's terminal, of a pipe that nobody reads from.
int OpenAnew(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

std::unique_ptr<Stream> Wrap(int fd, int wake_fd, const struct stat& status) {
  FileInfo info;
  info.device = status.st_dev;
  info.inode = status.st_ino;
  const bool terminal = S_ISCHR(status.st_mode) && isatty(fd) == 1;
  if (S_ISFIFO(status.st_mode) || terminal) {
    const int own = OpenAnew(fd);
    if (own < 0) return std::make_unique<Shared>(fd, wake_fd, info);
    close(fd);
    if (terminal) return std::make_unique<NonBlocking>(own, wake_fd, info);
    return std::make_unique<Pipe>(own, wake_fd, info);
  }
  if (S_ISSOCK(status.st_mode)) return std::make_unique<Socket>(fd, wake_fd, info);
  return std::make_unique<Plain>(fd, wake_fd, info);
}

}  // namespace

std::optional<StreamTarget> TargetOf(int descriptor, int* error, const char** call) {
  struct stat status;
  *error = StatWritable(descriptor, &status, call);
  if (*error != 0) return std::nullopt;
  return StreamTarget{status.st_dev, status.st_ino, S_ISREG(status.st_mode) ? descriptor : -1};
}

std::unique_ptr<Stream> OpenStream(int descriptor, int* error, const char** call) {
  // First, so that nobody can put something else in the descriptor's place meanwhile.
  const int fd = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  *call = "dup";
  if (fd < 0) {
    *error = -errno;
    return nullptr;
  }
  struct stat status = {};
  *error = StatWritable(fd, &status, call);
  const int wake_fd = *error == 0 ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
  if (wake_fd >= 0) return Wrap(fd, wake_fd, status);
  if (*error == 0) {
    *error = -errno;
    *call = "eventfd";
  }
  close(fd);
  return nullptr;
}

}  // namespace shardlog::io
