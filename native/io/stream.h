// Descriptors that are written to and nothing else: pipes, terminals, sockets, files that somebody
// else has opened. The layer behind which tests inject faults; calls return 0 or a byte count, or
// -errno, and none throws.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "io/file.h"

namespace shardlog::io {

// Used by one thread at a time but for Interrupt.
class Stream {
 public:
  virtual ~Stream() = default;

  // Bytes taken, possibly fewer than asked, or -EAGAIN: nothing can be taken at the moment. Does
  // not wait for a reader.
  virtual ssize_t Write(const void* data, size_t size) = 0;

  // Keeps processes that ask for it, too, from writing, until Release; with `alone` false only
  // those that ask with true. False: one of them has it.
  virtual bool Hold(bool /*alone*/) { return true; }
  virtual void Release() {}
  // Whether Write may take something now.
  virtual bool HasRoom() { return true; }

  // Sleeps until Write may take something, for timeout_ns at most. Interrupt ends it.
  virtual void AwaitRoom(uint64_t timeout_ns) = 0;
  // Sleeps all the same: for a stream that says it has room, and takes nothing.
  virtual void Pause(uint64_t timeout_ns) = 0;
  // Any thread: ends the present sleep, or else the next.
  virtual void Interrupt() = 0;

  // Up to how many bytes are taken at once, so that what other processes write to the same place
  // comes before or after them, not in between.
  virtual size_t atomic_bytes() const = 0;
  // Whether an error of Write may pass, as that of a full disk; a reader that has gone does not
  // come back.
  virtual bool MayPass(int error) const = 0;
  virtual FileInfo info() const = 0;
};

// What a descriptor leads to: two descriptors with equal targets are one stream. A file is one
// stream only by the same descriptor, since others may stand elsewhere in it.
struct StreamTarget {
  uint64_t device = 0;
  uint64_t inode = 0;
  int descriptor = -1;  // of a file; else -1

  bool operator==(const StreamTarget&) const = default;
};

// Empty, and *error = -errno, if there is no such descriptor or it cannot be written to.
std::optional<StreamTarget> TargetOf(int descriptor, int* error, const char** call);

// A stream of its own to what `descriptor` leads to: closing that, or changing its flags, changes
// nothing here, and its flags, which other processes may share, are left alone. Null and *error =
// -errno on failure; *call names the system call.
std::unique_ptr<Stream> OpenStream(int descriptor, int* error, const char** call);

}  // namespace shardlog::io
