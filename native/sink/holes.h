// Steps over what a file has nothing in: a hole is not read to find that it is zeroes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "format/block.h"
#include "io/file.h"

namespace shardlog::engine {

class Holes {
 public:
  explicit Holes(io::File* file) : file_(file) {}

  // The next sector behind the one at `at`, which is fill, that may hold something else; the
  // file's last ones may be in front of it.
  uint64_t Past(uint64_t at) {
    const uint64_t next = at + format::kSectorBytes;
    if (at < ask_at_) return next;
    ask_at_ = at + kAskBytes;
    return std::max(next, format::AlignDown(file_->NextData(at), format::kSectorBytes));
  }

 private:
  // Fill that was written is no hole: the kernel is asked this seldom.
  static constexpr uint64_t kAskBytes = uint64_t{1} << 20;

  io::File* const file_;
  uint64_t ask_at_ = 0;
};

}  // namespace shardlog::engine
