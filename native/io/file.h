// The file layer behind which tests inject faults. Calls return 0 or a byte count, or -errno; no
// call throws, and none retries: policy is the caller's.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace shardlog::io {

struct FileInfo {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size = 0;
  uint64_t links = 0;
  uint64_t birth_time = 0;  // ns since the epoch; 0: not asked for, or not told
  uint32_t owner = 0;       // user id
};

enum class DirectIo { kAuto, kRequired, kOff };

struct OpenOptions {
  DirectIo direct = DirectIo::kAuto;
  bool dsync = true;
};

// A log file open for reading and writing. Used by one thread at a time.
class File {
 public:
  virtual ~File() = default;

  // Bytes written at `offset`, possibly fewer than asked. With direct() every length, address and
  // offset is a multiple of alignment().
  virtual ssize_t Write(const iovec* parts, int count, uint64_t offset) = 0;
  // The same through the page cache, for lengths that direct I/O cannot do: repairs of a file's
  // tail.
  virtual ssize_t WriteBuffered(const void* data, size_t size, uint64_t offset) = 0;
  virtual ssize_t Read(void* to, size_t size, uint64_t offset) = 0;
  // Reserves blocks for [offset, offset + size) without changing the file's size.
  virtual int Allocate(uint64_t offset, uint64_t size) = 0;
  virtual int Truncate(uint64_t size) = 0;
  virtual int Sync() = 0;
  virtual int Stat(FileInfo* info) = 0;
  // Bytes that the file system has left for us.
  virtual int FreeSpace(uint64_t* bytes) = 0;
  // Takes the exclusive lock that a log's writer holds. -EWOULDBLOCK if another open file has it.
  virtual int Lock() = 0;

  // In the child of fork(): closes the descriptors without unlocking the file, which is the
  // parent's. Nothing else is called afterwards.
  virtual void AbandonAfterFork() {}

  virtual bool direct() const = 0;
  virtual const std::string& direct_reason() const = 0;  // why not direct; empty if it is
  virtual size_t alignment() const = 0;                  // 512 or more
};

// Where files come from.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Opens `path`, creating it with mode 0644. Null and *error = -errno on failure; *call names the
  // system call.
  virtual std::unique_ptr<File> Open(const std::string& path, const OpenOptions& options,
                                     int* error, const char** call) = 0;
  // What the path names now. 0 or -errno.
  virtual int StatPath(const std::string& path, FileInfo* info) = 0;
  // Makes the name of the file at `path` durable: fsync of the directory that it lies in.
  virtual int SyncDirectory(const std::string& path) = 0;
};

// The operating system's files. Lives as long as the process.
FileSystem& PosixFileSystem();

}  // namespace shardlog::io
