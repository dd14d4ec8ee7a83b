// Memory that lines are rendered into: grows, is never initialised, and is kept from chunk to
// chunk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "format/block.h"

namespace shardlog::record {

enum class Framing {
  kBackToBack,  // NDJSON: nothing between lines
  kEntries  // entries of a block: a line behind its u32 length (docs/reference/log-format.md, R2)
};

class LineBuffer {
 public:
  // Bytes behind a line's bound that renderers may scribble on: copies are made in blocks.
  static constexpr size_t kSlackBytes = 64;
  static constexpr size_t kAlignment = 64;  // lines of the caches
  // No block, which is 1 GiB at the most, holds a longer entry; what may stand before it is small.
  static constexpr size_t kMaxEntryBytes = (size_t{1} << 30) - (size_t{1} << 20);
  // Clear() and Trim() give memory back beyond this; less than one outsized line would otherwise
  // pin.
  static constexpr size_t kRetainedBytes = size_t{4} << 20;

  explicit LineBuffer(Framing framing = Framing::kBackToBack)
      : prefix_(framing == Framing::kEntries ? format::kEntryPrefixBytes : 0) {}

  // Where the next line goes; `bound` is the most it can take. Nothing counts until EndLine.
  // Throws std::bad_alloc.
  char* BeginLine(size_t bound) {
    const size_t needed = size_ + prefix_ + bound + kSlackBytes;
    if (needed > capacity_) Grow(needed);
    return data_.get() + size_ + prefix_;
  }

  // Takes the line that BeginLine made room for and that ends before `end`.
  void EndLine(const char* end) {
    if (prefix_ != 0) {
      char* const at = data_.get() + size_;
      format::Store(at, static_cast<uint32_t>(end - at - format::kEntryPrefixBytes));
    }
    size_ = static_cast<size_t>(end - data_.get());
    lines_++;
  }

  // The most that a line may have; of a longer one Undo takes care.
  size_t most_bytes() const { return prefix_ == 0 ? SIZE_MAX : kMaxEntryBytes; }

  // Takes the line back that began at `size` bytes and was added last.
  void Undo(size_t size) {
    size_ = size;
    lines_--;
  }

  void Clear() {
    Trim();
    size_ = 0;
    lines_ = 0;
  }

  // Gives memory of an uncommon size back, with the lines in it: nothing may come for long.
  void Trim() {
    if (capacity_ <= kRetainedBytes) return;
    data_.reset();
    capacity_ = size_ = lines_ = 0;
  }

  const char* data() const { return data_.get(); }
  size_t size() const { return size_; }      // bytes
  uint64_t lines() const { return lines_; }  // since Clear()

 private:
  struct Free {
    void operator()(char* memory) const {
      ::operator delete (memory, std::align_val_t{kAlignment});
    }
  };

  void Grow(size_t needed) {
    const size_t capacity = needed > capacity_ * 2 ? needed : capacity_ * 2;
    std::unique_ptr<char, Free> larger(
        static_cast<char*>(::operator new (capacity, std::align_val_t{kAlignment})));
    if (size_ != 0) std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
    capacity_ = capacity;
  }

  std::unique_ptr<char, Free> data_;
  size_t capacity_ = 0;
  size_t size_ = 0;
  uint64_t lines_ = 0;
  size_t prefix_;
};

}  // namespace shardlog::record
