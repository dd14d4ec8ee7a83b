#include "recorder/ring_image.h"

#include <algorithm>
#include <cstring>

#include "format/block.h"

#if defined(__clang__)
#define SHARDLOG_UNCHECKED __attribute__((no_sanitize("thread")))
#else
#define SHARDLOG_UNCHECKED
#endif

namespace shardlog::recorder {
namespace {

// What is copied may be written to meanwhile: the caller finds that out afterwards, and throws the
// copy away. Volatile, so that it is read once, here.
SHARDLOG_UNCHECKED void CopyUnchecked(uint8_t* to, const uint8_t* from, size_t bytes) {
  size_t at = 0;
  for (; at + sizeof(uint64_t) <= bytes; at += sizeof(uint64_t)) {
    const uint64_t word = *reinterpret_cast<const volatile uint64_t*>(from + at);
    format::Store(to + at, word);
  }
  for (; at < bytes; at++) to[at] = *static_cast<const volatile uint8_t*>(from + at);
}

// Whether the segments of a run are still its own.
bool IsWhole(const Ring& ring, uint32_t first, uint32_t span, uint64_t sequence) {
  for (uint32_t i = 0; i < span; i++) {
    // [MM ring-reread] relaxed: the fence of the caller stands before it.
    const Owner owner{ring.slot(first + i).owner.load(std::memory_order_relaxed)};
    if (owner.sequence() != sequence + i || owner.closed() != (i > 0)) return false;
  }
  return true;
}

void PutSlot(uint8_t* to, const Slot& from, Owner owner, uint32_t offset, uint32_t span) {
  format::Store(to + offsetof(Slot, offset), offset);
  format::Store(to + offsetof(Slot, span), span);
  format::Store(to + offsetof(Slot, owner), owner.bits);
  // [MM ring-count] relaxed: numbers for people.
  format::Store(to + offsetof(Slot, counts), from.counts.load(std::memory_order_relaxed));
  // [MM ring-open] relaxed: they are the run's, as the owner word said afterwards.
  format::Store(to + offsetof(Slot, producer), from.producer.load(std::memory_order_relaxed));
  // [MM ring-open] relaxed.
  format::Store(to + offsetof(Slot, thread), from.thread.load(std::memory_order_relaxed));
  // [MM ring-drain] relaxed: they say which run they are of.
  format::Store(to + offsetof(Slot, drained), from.drained.load(std::memory_order_relaxed));
  format::Store(to + offsetof(Slot, drained_events),
                from.drained_events.load(std::memory_order_relaxed));  // [MM ring-drain]
}

// Whether the run that begins at the segment was copied; false if there is none, or it has changed.
bool CopyRun(const Ring& ring, uint32_t first, Owner owner, uint8_t* image) {
  const Slot& slot = ring.slot(first);
  // [MM ring-open] relaxed: published by the owner word, which the caller has read.
  const uint32_t span = slot.span.load(std::memory_order_relaxed);
  // [MM ring-read] acquire: pairs with accept; the entries below it are whole.
  const uint32_t offset = slot.offset.load(std::memory_order_acquire) & ~kSealed;
  if (span == 0 || span > ring.segments() - first || offset > uint64_t{span} * kSegmentBytes) {
    return false;
  }
  const uint64_t at = DataAt(ring.segments()) + uint64_t{first} * kSegmentBytes;
  const uint32_t start = std::min(offset, kFirstOffset);
  CopyUnchecked(image + at + start, ring.control() + at + start, offset - start);
  uint8_t kept[kSlotBytes] = {};
  PutSlot(kept, slot, owner, offset, span);
  // [MM ring-fence] acquire: if any of it is of a later run, its owner word is seen below.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (!IsWhole(ring, first, span, owner.sequence())) return false;
  std::memcpy(image + kHeaderBytes + uint64_t{first} * kSlotBytes, kept, sizeof kept);
  return true;
}

}  // namespace

ImageReport CopyImage(const Ring& ring, uint8_t* image) {
  ImageReport report;
  const Header& header = ring.header();
  // [MM ring-head] relaxed: what is drawn later is left out.
  const uint64_t head = header.head.load(std::memory_order_relaxed);
  CopyUnchecked(image, ring.control(), kHeaderBytes);
  std::memset(image + kHeaderBytes, 0, DataAt(ring.segments()) - kHeaderBytes);
  const uint32_t count = ring.segments();
  // From the oldest on: it is overwritten next.
  for (uint64_t i = 0; i < count; i++) {
    const auto first = static_cast<uint32_t>((head + i) % count);
    // [MM ring-read] acquire: pairs with ring-open.
    const Owner owner{ring.slot(first).owner.load(std::memory_order_acquire)};
    const bool is_run = owner.sequence() != 0 && !owner.closed() && owner.sequence() <= head;
    if (is_run && CopyRun(ring, first, owner, image)) {
      report.runs++;
      continue;
    }
    if (is_run) report.missed++;
    // Its events count on as events that were.
    uint8_t* const to = image + kHeaderBytes + uint64_t{first} * kSlotBytes;
    // [MM ring-count] relaxed: numbers for people.
    format::Store(to + offsetof(Slot, counts),
                  ring.slot(first).counts.load(std::memory_order_relaxed));
  }
  return report;
}

}  // namespace shardlog::recorder
