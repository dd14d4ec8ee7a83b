// Layout of an arena's control part. The normative text is docs/reference/log-format.md, section 2.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "engine/geometry.h"
#include "engine/words.h"

namespace shardlog::engine {

inline constexpr uint64_t kArenaMagic = 0x414E4552414C4853;  // "SHLARENA"
// Of one that is in the log as a whole and could not be removed.
inline constexpr uint64_t kEmptiedMagic = 0x5954504D454C4853;  // "SHLEMPTY"
inline constexpr uint32_t kArenaVersion = 2;
// Version 1 has no journal states, and the journal tells where a generation was being written to.
inline constexpr uint32_t kOldestArenaVersion = 1;
inline constexpr size_t kArenaHeaderCrcBytes = 56;  // the fields that never change
inline constexpr uint64_t kNoGeneration = UINT64_MAX;
inline constexpr size_t kMaxArenaPathBytes = 3072;

// What is in the log of which generation, and how long the log is with it: exactly, at any moment.
// The flusher fills in the state that is not current, then makes it so.
struct JournalState {
  uint64_t generation;  // all generations below it are in the log
  uint64_t done;        // and of it: bytes of lines (text), lines (blocks of records); else 0
  uint64_t blocks;      // and so many blocks
  uint64_t sequence;    // trailer sequence of the next block
  uint64_t end;         // file offset behind that
  uint32_t tail_bytes;  // so many bytes before `end`
  uint32_t tail_crc;    // have this CRC-32C
  uint32_t crc;         // CRC-32C of the fields above
  uint32_t spare;
};
static_assert(sizeof(JournalState) == 56);
inline constexpr size_t kJournalStateCrcBytes = 48;

// Where the generation is that the flusher is writing, for readers of a living log.
struct Journal {
  std::atomic<uint64_t> generation;  // kNoGeneration: none; set last
  uint64_t base;                     // file offset of its first block
  uint64_t sequence;                 // trailer sequence of its first block
  uint64_t sealed_time;              // ns
  uint64_t limit;                    // version 1 only: file offset behind its last block
  std::atomic<uint64_t> current;     // 0: no state yet; else 1 + the index of the current one
};

struct ArenaHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t num_shards;
  uint32_t segments_per_shard;
  uint32_t segment_bytes;
  uint64_t data_offset;
  uint64_t total_bytes;
  uint64_t stream;
  uint64_t created_time;
  uint64_t log_device;
  uint64_t log_inode;
  uint32_t owner_pid;
  uint32_t path_bytes;
  uint64_t owner_start;
  std::array<uint8_t, 16> boot_id;
  uint32_t header_crc;
  uint32_t spare_before_content;
  uint32_t content;        // a Content
  uint32_t format;         // a Format
  uint64_t pid_namespace;  // in which owner_pid counts: inode of /proc/self/ns/pid; 0: not known

  // One cache line for each thing that another thread writes.
  alignas(64) uint8_t spare_before_words[128];
  alignas(64) std::atomic<uint64_t> active;
  alignas(64) std::atomic<uint64_t> recycled;
  alignas(64) Journal journal;
  alignas(64) std::atomic<uint64_t> written;
  uint64_t next_sequence;  // of the first block of generation `written`
  alignas(64) SegmentSlot null_slot;
  alignas(64) uint8_t spare_before_states[64];
  struct alignas(64) {
    JournalState state;
  } states[2];
  alignas(64) uint8_t spare_before_path[256];
  char path[kMaxArenaPathBytes];
};
// offsetof of a type with aligned atomics is conditionally supported; every compiler we build with
// does.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
static_assert(offsetof(ArenaHeader, data_offset) == 24);
static_assert(offsetof(ArenaHeader, created_time) == 48);
static_assert(offsetof(ArenaHeader, owner_pid) == 72);
static_assert(offsetof(ArenaHeader, boot_id) == 88);
static_assert(offsetof(ArenaHeader, header_crc) == 104);
static_assert(offsetof(ArenaHeader, content) == 112);
static_assert(offsetof(ArenaHeader, pid_namespace) == 120);
static_assert(offsetof(ArenaHeader, active) == 256);
static_assert(offsetof(ArenaHeader, recycled) == 320);
static_assert(offsetof(ArenaHeader, journal) == 384);
static_assert(offsetof(ArenaHeader, written) == 448);
static_assert(offsetof(ArenaHeader, null_slot) == 512);
static_assert(offsetof(ArenaHeader, states) == 640);
static_assert(offsetof(ArenaHeader, path) == 1024);
static_assert(offsetof(SegmentSlot, claimed_time) == 8);
static_assert(offsetof(SegmentSlot, span) == 24);
static_assert(offsetof(SegmentSlot, mark) == 56);
#pragma GCC diagnostic pop
static_assert(sizeof(ArenaHeader) == kPageBytes);

inline constexpr uint64_t ClaimWordsOffset() { return kPageBytes; }
inline constexpr uint64_t SlotsOffset(const Geometry& g) {
  return ClaimWordsOffset() + 2 * sizeof(ClaimWord) * g.num_shards;
}
inline constexpr uint64_t DataOffset(const Geometry& g) {
  return format::AlignUp(SlotsOffset(g) + 2 * sizeof(SegmentSlot) * g.segments_per_set(),
                         kPageBytes);
}

// Each page of the control part behind the header says at its beginning and its end that it is as
// it was made: what another program has cut out of the file, and what came back as zeroes, does
// not.
inline constexpr uint64_t kPageMark = 0x454741504C4853;  // "SHLPAGE"
inline constexpr uint64_t kMarksInPage[] = {64 - sizeof kPageMark, kPageBytes - sizeof kPageMark};
static_assert(sizeof(SegmentSlot) == 64 && sizeof(ClaimWord) == 64);

}  // namespace shardlog::engine
