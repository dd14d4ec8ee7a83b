// Writes pieces of memory to a file, one after the other, in as few calls as possible and with
// bounded retries.
//
// Thread: the flusher, or recovery. Not shared.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "io/file.h"

namespace shardlog::engine {

// How a call of the kernel ended: error is 0 or a positive errno.
struct IoStatus {
  int error = 0;
  const char* call = "";

  bool ok() const { return error == 0; }
};

class PieceWriter {
 public:
  PieceWriter();

  // Starts over at file offset `base`. Offsets, addresses and lengths are multiples of the file's
  // alignment.
  void Start(io::File* file, uint64_t base);

  // The memory stays as it is until Write. Joined with the piece before, where it lies behind it.
  void Add(uint8_t* start, size_t bytes);

  // Whether there is nothing to write.
  bool empty() const { return pieces_.empty(); }

  // Whether the pieces are worth, or need, a write.
  bool IsFull() const;

  // Writes what was added. After a failure offset() is behind what the file has got.
  IoStatus Write();

  uint64_t offset() const { return offset_; }
  size_t alignment() const { return alignment_; }
  io::File* file() const { return file_; }

 private:
  std::vector<iovec> pieces_;
  size_t bytes_ = 0;
  io::File* file_ = nullptr;
  size_t alignment_ = 0;
  uint64_t offset_ = 0;
};

// Writes `bytes` at `offset` through the page cache, with the same retries: the end of a text,
// which is no whole unit of direct I/O.
IoStatus WriteThroughCache(io::File* file, const uint8_t* from, size_t bytes, uint64_t offset);

}  // namespace shardlog::engine
