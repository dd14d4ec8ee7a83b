// Memory in which JavaScript writes the entry that it is at, where it may not write into the arena
// itself (store_in_pages.h). Untouched pages of it take no memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shardlog::engine {

class Draft {
 public:
  // Throws std::bad_alloc.
  explicit Draft(size_t bytes);
  ~Draft();

  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }

  // Nobody writes there any more: the memory is given back, though JavaScript may keep the address.
  void GiveBack();

 private:
  uint8_t* data_;
  const size_t bytes_;
};

}  // namespace shardlog::engine
