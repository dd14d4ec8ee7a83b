// The file layer behind which tests inject faults. Calls return 0 or a byte count, or -errno; no
// call throws, and none retries: policy is the caller's.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace shardlog::io {

struct FileInfo {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size = 0;
  uint64_t links = 0;
  uint64_t changed_time = 0;  // of the content, ns since the epoch
  uint64_t birth_time = 0;    // ns since the epoch; 0: not asked for, or not told
  uint32_t owner = 0;         // user id
};

enum class DirectIo { kAuto, kRequired, kOff };

struct OpenOptions {
  DirectIo direct = DirectIo::kAuto;
  bool dsync = true;
  bool create = true;
};

// A log file open for reading and writing. Used by one thread at a time.
class File {
 public:
  virtual ~File() = default;

  // Appends: the kernel puts the bytes where the file ends at that moment, in one piece, whoever
  // else appends. Bytes taken, possibly fewer than asked; *end is the file offset behind them. With
  // direct(), lengths, addresses and the file's end have to be multiples of alignment(); -EINVAL
  // says that one was not, or that the file system does not write directly after all.
  virtual ssize_t Append(const iovec* parts, int count, uint64_t* end) = 0;
  // The same through the page cache, for any length, at any end.
  virtual ssize_t AppendBuffered(const iovec* parts, int count, uint64_t* end) = 0;
  // Writes over bytes that are there: the repair of a torn block.
  virtual ssize_t Overwrite(const void* data, size_t size, uint64_t offset) = 0;
  virtual ssize_t Read(void* to, size_t size, uint64_t offset) = 0;
  // Where at or behind `from` the file may hold something else than zeroes; UINT64_MAX: nowhere.
  virtual uint64_t NextData(uint64_t from) { return from; }
  virtual int Sync() = 0;
  virtual int Stat(FileInfo* info) = 0;
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
  // Opens `path` for appending, creating it with mode 0644 if options.create. Null and *error =
  // -errno on failure; *call names the system call.
  virtual std::unique_ptr<File> Open(const std::string& path, const OpenOptions& options,
                                     int* error, const char** call) = 0;
  // What the path names now. 0 or -errno.
  virtual int StatPath(const std::string& path, FileInfo* info) = 0;
  // Paths of the files beside the one at `path`, and in the folders beside it, whose names begin
  // with its name, or with that without its extension; its own excepted.
  virtual std::vector<std::string> Siblings(const std::string& /*path*/) { return {}; }
  // Makes the name of the file at `path` durable: fsync of the directory that it lies in.
  virtual int SyncDirectory(const std::string& path) = 0;
};

// The operating system's files. Lives as long as the process.
FileSystem& PosixFileSystem();

}  // namespace shardlog::io
