// Memory that lines are rendered into: grows, is never initialised, and is kept from chunk to
// chunk. Lines may have a head in front of them and something behind them, which are for who writes
// the chunk to a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "format/block.h"
#include "platform/huge_pages.h"

namespace shardlog::record {

enum class Framing {
  kBackToBack,  // NDJSON: nothing between lines
  kEntries      // entries of a block: each line behind its u32 length (docs/log-format.md, R2)
};

class LineBuffer {
 public:
  // Bytes behind a line's bound that renderers may scribble on: copies are made in blocks.
  static constexpr size_t kSlackBytes = 64;
  // The memory starts at a multiple of this, so that a chunk can go to a file opened O_DIRECT.
  static constexpr size_t kAlignment = 4096;
  // Memory of more than this is made of large pages: what has so many lines will have more.
  static constexpr size_t kSmallBytes = size_t{256} << 10;
  // Clear() and Trim() give memory back beyond this; less than one outsized line would otherwise
  // pin.
  static constexpr size_t kKeptBytes = size_t{8} << 20;

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

  // Starts over, behind a head of `head` bytes. Throws std::bad_alloc.
  void Clear(size_t head = 0) {
    Trim();
    size_ = 0;
    if (head > capacity_) Grow(head);
    size_ = head_ = head;
    lines_ = 0;
  }

  // Gives memory of an uncommon size back, with the lines in it: nothing may come for long.
  void Trim() {
    if (capacity_ <= kKeptBytes) return;
    data_.reset();
    capacity_ = size_ = head_ = lines_ = 0;
  }

  // Makes room for `bytes` behind the last line. Throws std::bad_alloc.
  void ReserveBehind(size_t bytes) {
    if (size_ + bytes > capacity_) Grow(size_ + bytes);
  }

  // The head, at a multiple of kAlignment. Moves when a line is begun, or room is made.
  char* head() { return data_.get(); }
  const char* data() const { return data_.get() + head_; }  // the first line
  size_t size() const { return size_ - head_; }             // bytes of lines
  uint64_t lines() const { return lines_; }                 // since Clear()

 private:
  static constexpr size_t kHuge = platform::kHugePageBytes;

  struct Free {
    size_t alignment;
    void operator()(char* memory) const { ::operator delete (memory, std::align_val_t{alignment}); }
  };
  using Memory = std::unique_ptr<char, Free>;

  static Memory Allocate(size_t capacity) {
    const size_t alignment = capacity <= kSmallBytes ? kAlignment : kHuge;
    Memory memory(static_cast<char*>(::operator new (capacity, std::align_val_t{alignment})),
                  Free{alignment});
    if (alignment == kHuge) platform::PreferHugePages(memory.get(), capacity);
    return memory;
  }

  void Grow(size_t needed) {
    size_t capacity = needed > capacity_ * 2 ? needed : capacity_ * 2;
    if (capacity > kSmallBytes) capacity = format::AlignUp(capacity, kHuge);
    Memory larger = Allocate(capacity);
    if (size_ != 0) std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
    capacity_ = capacity;
  }

  Memory data_{nullptr, Free{kAlignment}};
  size_t capacity_ = 0;
  size_t head_ = 0;
  size_t size_ = 0;  // the head's and the lines'
  uint64_t lines_ = 0;
  size_t prefix_;
};

}  // namespace shardlog::record
