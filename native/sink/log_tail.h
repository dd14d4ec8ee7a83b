// The last bytes of the log as it is now, and their checksum: what proves later, whatever the
// file's name, inode and device are by then, that a file is the log and was this long.
//
// Thread: whoever appends to the log.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "io/file.h"

namespace shardlog::engine {

class LogTail {
 public:
  static constexpr size_t kBytes = 4096;

  // What a file that holds `bytes` more before some offset has to have there.
  struct Proof {
    uint32_t bytes = 0;
    uint32_t crc = 0;
  };

  // The first `taken` bytes of the parts now end the file, right behind what was known.
  void Append(const iovec* parts, int count, size_t taken);
  // The file's end is somebody else's: it is read when it is asked for.
  void Forget() { bytes_.reset(); }

  // Of the file, which ends at `end`. 0 or a positive errno.
  int Of(io::File* file, uint64_t end, Proof* proof);

  // Whether `file` has what the proof wants before `end`. False also where it cannot be read.
  static bool Holds(io::File* file, uint64_t end, const Proof& proof);

 private:
  std::unique_ptr<std::array<uint8_t, kBytes>> bytes_;  // null while they are not known
  size_t size_ = 0;
};

}  // namespace shardlog::engine
