// Memory for direct I/O: starts at a page, grows, and is not initialised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "engine/geometry.h"
#include "format/block.h"

namespace shardlog::engine {

class AlignedMemory {
 public:
  uint8_t* data() const { return memory_.get(); }
  size_t capacity() const { return capacity_; }

  // Makes room for `bytes`, keeping the first `kept` of what is there. Throws std::bad_alloc.
  void Reserve(size_t bytes, size_t kept) {
    if (bytes <= capacity_) return;
    const size_t capacity = format::AlignUp(bytes + bytes / 2, kPageBytes);
    std::unique_ptr<uint8_t, Free> larger(
        static_cast<uint8_t*>(std::aligned_alloc(kPageBytes, capacity)));
    if (larger == nullptr) throw std::bad_alloc();
    if (kept != 0) std::memcpy(larger.get(), memory_.get(), kept);
    memory_ = std::move(larger);
    capacity_ = capacity;
  }

 private:
  struct Free {
    void operator()(uint8_t* memory) const { std::free(memory); }
  };

  std::unique_ptr<uint8_t, Free> memory_;
  size_t capacity_ = 0;
};

}  // namespace shardlog::engine
