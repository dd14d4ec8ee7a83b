// Constants and byte layouts of a log file. The normative text is docs/reference/log-format.md,
// section 1; rule numbers (R1 ...) are its. Everything is little-endian and goes through the
// functions below, so that no struct's padding or byte order leaks into a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace shardlog::format {

inline constexpr size_t kSectorBytes = 512;            // R1: blocks start at multiples of this
inline constexpr size_t kBlockHeaderBytes = 8;         // capacity, valid
inline constexpr size_t kEntryPrefixBytes = 4;         // R2: length
inline constexpr size_t kTrailerBytes = 64;            // section 1.2
inline constexpr uint32_t kTrailerMagic = 0x544C4853;  // "SHLT"
inline constexpr uint16_t kTrailerVersion = 1;
inline constexpr size_t kTrailerCrcOffset = 60;

// Trailer flags.
inline constexpr uint16_t kFlagCarried = 1;    // stands in a carrier block after its block
inline constexpr uint16_t kFlagRecovered = 2;  // written by recovery
inline constexpr uint16_t kFlagJsEngine = 4;   // written by the JavaScript engine

constexpr uint64_t AlignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}
constexpr uint64_t AlignDown(uint64_t value, uint64_t alignment) {
  return value / alignment * alignment;
}

// R1: distance from the start of a block to the start of the next.
constexpr uint64_t Stride(uint64_t valid) {
  return AlignUp(kBlockHeaderBytes + valid, kSectorBytes);
}

// Whether the trailer fits into the padding of a block with `valid` bytes, or needs a carrier.
constexpr bool TrailerFits(uint64_t valid) {
  return Stride(valid) - kBlockHeaderBytes - valid >= kTrailerBytes;
}

// Bytes a block takes in the file, its carrier included.
constexpr uint64_t BlockExtent(uint64_t valid) {
  return Stride(valid) + (TrailerFits(valid) ? 0 : kSectorBytes);
}

template <typename T>
inline void Store(void* to, T value) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big-endian machines use the JS engine");
  std::memcpy(to, &value, sizeof value);
}

template <typename T>
inline T Load(const void* from) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big-endian machines use the JS engine");
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

struct BlockHeader {
  uint32_t capacity = 0;
  uint32_t valid = 0;

  bool IsFill() const { return capacity == 0 && valid == 0; }  // R6
  bool IsPlausible() const {
    return capacity >= kBlockHeaderBytes && valid <= capacity - kBlockHeaderBytes;
  }
};

inline void EncodeHeader(uint8_t* to, BlockHeader header) {
  Store(to, header.capacity);
  Store(to + 4, header.valid);
}

inline BlockHeader DecodeHeader(const uint8_t* from) {
  return {Load<uint32_t>(from), Load<uint32_t>(from + 4)};
}

struct Trailer {
  uint16_t flags = 0;
  uint64_t stream = 0;
  uint64_t sequence = 0;
  uint64_t first_time = 0;  // ns since the epoch
  uint64_t last_time = 0;
  uint32_t entries = 0;
  uint32_t generation = 0;
  uint32_t segment = 0;
  uint32_t producer = 0;
  uint32_t length = 0;  // start of the block to the end of the trailer
};

// Writes the 64 bytes at `to`. `block_crc` is the CRC-32C of the block's first 8 + valid bytes.
void EncodeTrailer(uint8_t* to, const Trailer& trailer, uint32_t block_crc);

// Padding and trailer, or carrier, behind `valid` bytes of entries whose block begins with bytes of
// CRC-32C `block_crc`. `tail` is where block offset `tail_start` lies in memory; everything from
// the end of the entries up to `tail_end` is written.
void BuildTail(uint8_t* tail, uint64_t tail_start, uint64_t tail_end, uint64_t valid,
               Trailer trailer, uint32_t block_crc);

// Reads 64 bytes. False if magic or version are not those of a trailer; the CRC is not checked
// here.
bool DecodeTrailer(const uint8_t* from, Trailer* trailer);

// Whether the trailer at `trailer` vouches for a block whose first 8 + valid bytes have
// `block_crc`.
bool TrailerMatches(const uint8_t* trailer, uint32_t block_crc);

// Whether the `size` bytes at `block` are one block, its carrier included, that its trailer vouches
// for. Fills in *trailer.
bool DecodeWholeBlock(const uint8_t* block, size_t size, Trailer* trailer);

// The longest prefix of some bytes that is whole entries.
struct WholeEntries {
  size_t bytes = 0;
  uint64_t entries = 0;
};
WholeEntries FindWholeEntries(const uint8_t* entries, size_t available);

// Number of entries in [entries, entries + valid), or -1 if they break R2.
inline int64_t CountEntries(const uint8_t* entries, size_t valid) {
  const WholeEntries whole = FindWholeEntries(entries, valid);
  return whole.bytes == valid ? static_cast<int64_t>(whole.entries) : -1;
}

}  // namespace shardlog::format
