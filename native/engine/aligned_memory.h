// Memory for direct I/O: starts at a page, grows, and is not initialised. Much of it is made of
// large pages, which a device's driver looks up faster.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "engine/geometry.h"
#include "format/block.h"
#include "platform/huge_pages.h"

namespace shardlog::engine {

class AlignedMemory {
 public:
  // Where more than this is needed, it is made of large pages.
  static constexpr size_t kSmallBytes = size_t{1} << 20;

  uint8_t* data() const { return memory_.get(); }
  size_t capacity() const { return capacity_; }

  // Makes room for `bytes`, keeping the first `kept` of what is there. Throws std::bad_alloc.
  void Reserve(size_t bytes, size_t kept) {
    if (bytes <= capacity_) return;
    const bool is_small = bytes <= kSmallBytes;
    const size_t page = is_small ? kPageBytes : platform::kHugePageBytes;
    const size_t capacity = format::AlignUp(is_small ? bytes + bytes / 2 : bytes, page);
    std::unique_ptr<uint8_t, Deleter> larger(
        static_cast<uint8_t*>(std::aligned_alloc(page, capacity)));
    if (larger == nullptr) throw std::bad_alloc();
    if (!is_small) platform::PreferHugePages(larger.get(), capacity);
    kept = std::min(kept, capacity_);
    if (kept != 0) std::memcpy(larger.get(), memory_.get(), kept);
    memory_ = std::move(larger);
    capacity_ = capacity;
  }

  // Gives the memory back if it is more than `kept`.
  void Trim(size_t kept) {
    if (capacity_ <= kept) return;
    memory_.reset();
    capacity_ = 0;
  }

 private:
  struct Deleter {
    void operator()(uint8_t* memory) const { std::free(memory); }
  };

  std::unique_ptr<uint8_t, Deleter> memory_;
  size_t capacity_ = 0;
};

}  // namespace shardlog::engine
