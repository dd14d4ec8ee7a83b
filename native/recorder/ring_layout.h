// Layout of a recorder's arena: header, slots, segments. The normative text is
// docs/reference/recorder-arena.md; everything is little-endian.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace shardlog::recorder {

inline constexpr uint64_t kMagic = 0x44524345524C4853;  // "SHLRECRD"
inline constexpr uint32_t kVersion = 1;
inline constexpr uint32_t kHeaderBytes = 4096;
inline constexpr uint32_t kSegmentBytes = 4096;
inline constexpr uint32_t kSlotBytes = 64;
// Where the first entry of a run lies in its first segment, as in a segment of a log: offsets below
// it are no run's.
inline constexpr uint32_t kFirstOffset = 8;
// Value of an offset word that accepts nothing.
inline constexpr uint32_t kSealed = 0x80000000u;

inline constexpr uint32_t kLeastSegments = 64;
inline constexpr uint32_t kMostSegments = 262144;  // a GiB
// Longest lease, unless one record takes more: 128 KiB, as a segment of a log.
inline constexpr uint32_t kMostRun = 32;

// Value of an owner word: sequence:43 | closed:1 | lessee:20.
// sequence: 1 + the segment's position in the ring, which counts on over its laps; 0: never used.
// closed: no run begins here, or none that can be read yet.
// lessee: id of the producer that writes here; 0: nobody.
struct Owner {
  static constexpr uint64_t kLesseeMask = (uint64_t{1} << 20) - 1;
  static constexpr uint64_t kClosedBit = uint64_t{1} << 20;
  static constexpr int kSequenceShift = 21;

  uint64_t bits = 0;

  static Owner Of(uint64_t sequence, bool closed, uint32_t lessee) {
    return {sequence << kSequenceShift | (closed ? kClosedBit : 0) | lessee};
  }
  uint64_t sequence() const { return bits >> kSequenceShift; }
  bool closed() const { return (bits & kClosedBit) != 0; }
  uint32_t lessee() const { return static_cast<uint32_t>(bits & kLesseeMask); }
  Owner WithLessee(uint32_t lessee) const { return {(bits & ~kLesseeMask) | lessee}; }
};
inline constexpr uint32_t kMostProducers = static_cast<uint32_t>(Owner::kLesseeMask);

// Value of a slot's counts: overwritten:40 | events:24. One word, so that no kill finds events that
// are in neither number, or in both.
struct Counts {
  static constexpr int kEventBits = 24;
  static constexpr uint64_t kEventMask = (uint64_t{1} << kEventBits) - 1;

  uint64_t bits = 0;

  uint64_t events() const { return bits & kEventMask; }        // of the run that begins here
  uint64_t overwritten() const { return bits >> kEventBits; }  // of all that began here before
  Counts Retired() const { return {(overwritten() + events()) << kEventBits}; }
  Counts WithOneMore() const { return {bits + 1}; }
};

// One segment's slot. Of a run of several segments the first slot counts on through the others.
struct alignas(kSlotBytes) Slot {
  std::atomic<uint32_t> offset;  // end of the entries, from the first segment's start
  std::atomic<uint32_t> span;    // segments of the run that begins here
  std::atomic<uint64_t> owner;
  std::atomic<uint64_t> counts;
  std::atomic<uint32_t> producer;        // who wrote the run
  std::atomic<uint32_t> thread;          // its thread's id in JavaScript
  std::atomic<uint64_t> drained;         // up to which offset it has been drained: Drained
  std::atomic<uint64_t> drained_events;  // how many events that were: Drained
  uint8_t spare[16];
};
static_assert(sizeof(Slot) == kSlotBytes);

// Value of a word that says how much of a run has been drained: sequence:43 | amount:21. It is that
// of the run with this sequence alone: whoever takes the segment need not clear it.
struct Drained {
  static constexpr uint64_t kAmountMask = (uint64_t{1} << Owner::kSequenceShift) - 1;

  uint64_t bits = 0;

  static Drained Of(uint64_t sequence, uint64_t amount) {
    return {sequence << Owner::kSequenceShift | (amount & kAmountMask)};
  }
  uint64_t AmountOf(uint64_t sequence) const {
    return bits >> Owner::kSequenceShift == sequence ? bits & kAmountMask : 0;
  }
};
// No run is longer, nor has more events.
static_assert(uint64_t{8} * kMostRun * kSegmentBytes <= Drained::kAmountMask);

struct alignas(64) Header {
  uint64_t magic;
  uint32_t version;
  uint32_t segments;
  uint64_t file_bytes;
  uint64_t slots_at;
  uint64_t data_at;
  uint32_t segment_bytes;
  uint32_t pid;
  uint64_t start_ticks;  // of the process, as platform/process.h tells them
  uint64_t created_ns;   // since the Unix epoch
  std::array<uint8_t, 16> boot_id;
  uint8_t spare[40];
  alignas(64) std::atomic<uint64_t> head;  // position of the next run
  alignas(64) std::atomic<uint64_t> dropped;
  std::atomic<uint64_t> truncated;
  std::atomic<uint64_t> drained;  // events that somebody has taken out
  uint8_t spare2[40];
  Slot nowhere;  // accepts nothing: the lease of who has none
  uint32_t about_bytes;
  char about[kHeaderBytes - 324];  // JSON: what the recorder's process says of itself
};
static_assert(offsetof(Header, head) == 128);
static_assert(offsetof(Header, dropped) == 192);
static_assert(offsetof(Header, nowhere) == 256);
static_assert(offsetof(Header, about_bytes) == 320);
static_assert(sizeof(Header) == kHeaderBytes);

constexpr uint64_t DataAt(uint32_t segments) {
  const uint64_t end = kHeaderBytes + uint64_t{segments} * kSlotBytes;
  return (end + kSegmentBytes - 1) / kSegmentBytes * kSegmentBytes;
}
constexpr uint64_t FileBytes(uint32_t segments) {
  return DataAt(segments) + uint64_t{segments} * kSegmentBytes;
}

}  // namespace shardlog::recorder
