#include "record/json_text.h"

#include <array>
#include <bit>
#include <cstring>

#include "format/block.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace shardlog::record {
namespace {

constexpr size_t kBlock = 16;

struct Escape {
  char text[7];
  uint8_t size;  // 0: printed as it is
};

constexpr Escape MakeEscape(uint32_t byte) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (byte) {
    case '"':
      return {{'\\', '"'}, 2};
    case '\\':
      return {{'\\', '\\'}, 2};
    case '\b':
      return {{'\\', 'b'}, 2};
    case '\t':
      return {{'\\', 't'}, 2};
    case '\n':
      return {{'\\', 'n'}, 2};
    case '\f':
      return {{'\\', 'f'}, 2};
    case '\r':
      return {{'\\', 'r'}, 2};
    default:
      if (byte >= 0x20) return {{}, 0};
      return {{'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]}, 6};
  }
}

constexpr std::array<Escape, 256> MakeEscapes() {
  std::array<Escape, 256> escapes{};
  for (uint32_t byte = 0; byte < 256; byte++) escapes[byte] = MakeEscape(byte);
  return escapes;
}
constexpr std::array<Escape, 256> kEscapes = MakeEscapes();

inline char* WriteEscape(char* to, const Escape& escape) {
  std::memcpy(to, &escape, sizeof escape);
  return to + escape.size;
}

// The high bit of each byte that is escaped. Bytes above the first such may be marked wrongly,
// since borrows run upwards.
inline uint64_t MarkEscaped(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  constexpr uint64_t kHighs = kOnes << 7;
  const uint64_t quotes = bytes ^ kOnes * '"';
  const uint64_t backslashes = bytes ^ kOnes * '\\';
  return (((bytes - kOnes * 0x20) & ~bytes) | ((quotes - kOnes) & ~quotes) |
          ((backslashes - kOnes) & ~backslashes)) &
         kHighs;
}

#if defined(__SSE2__)
// Index of the first escaped byte, or kBlock; the bytes are copied to `to`.
inline size_t CopyAndFind(char* to, const uint8_t* from) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
  const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  const __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  const __m128i escaped = _mm_or_si128(controls, _mm_or_si128(quotes, backslashes));
  const auto marks = static_cast<uint32_t>(_mm_movemask_epi8(escaped));
  return static_cast<size_t>(std::countr_zero(marks | 1u << kBlock));
}
#elif defined(__aarch64__)
inline size_t CopyAndFind(char* to, const uint8_t* from) {
  const uint8x16_t bytes = vld1q_u8(from);
  vst1q_u8(reinterpret_cast<uint8_t*>(to), bytes);
  const uint8x16_t controls = vcltq_u8(bytes, vdupq_n_u8(0x20));
  const uint8x16_t quotes = vceqq_u8(bytes, vdupq_n_u8('"'));
  const uint8x16_t backslashes = vceqq_u8(bytes, vdupq_n_u8('\\'));
  const uint8x16_t escaped = vorrq_u8(controls, vorrq_u8(quotes, backslashes));
  // Four bits for each byte: there is no movemask.
  const uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(escaped), 4);
  const uint64_t marks = vget_lane_u64(vreinterpret_u64_u8(nibbles), 0);
  return marks == 0 ? kBlock : static_cast<size_t>(std::countr_zero(marks)) / 4;
}
#else
inline size_t CopyAndFind(char* to, const uint8_t* from) {
  std::memcpy(to, from, kBlock);
  return FirstEscapedPortable(from);
}
#endif

// Where 16 bytes cannot be read any more.
char* WriteTail(char* to, const uint8_t* from, const uint8_t* end) {
  for (; from < end; from++) {
    const Escape& escape = kEscapes[*from];
    if (escape.size == 0) {
      *to++ = static_cast<char>(*from);
    } else {
      to = WriteEscape(to, escape);
    }
  }
  return to;
}

}  // namespace

size_t FirstEscapedPortable(const uint8_t* from) {
  const uint64_t low = MarkEscaped(format::Load<uint64_t>(from));
  if (low != 0) return static_cast<size_t>(std::countr_zero(low)) / 8;
  const uint64_t high = MarkEscaped(format::Load<uint64_t>(from + 8));
  return high == 0 ? kBlock : 8 + static_cast<size_t>(std::countr_zero(high)) / 8;
}

size_t FirstEscaped(const uint8_t* from) {
  char copy[kBlock];
  return CopyAndFind(copy, from);
}

size_t CountEscaped(const uint8_t* from, size_t size) {
  size_t count = 0;
  for (size_t at = 0; at < size; at++) {
    count += (from[at] < 0x20) | (from[at] == '"') | (from[at] == '\\');
  }
  return count;
}

char* WriteJsonString(char* to, const uint8_t* from, size_t size, const uint8_t* readable_end) {
  const uint8_t* const end = from + size;
  *to++ = '"';
  while (from < end && static_cast<size_t>(readable_end - from) >= kBlock) {
    const size_t left = static_cast<size_t>(end - from);
    const size_t whole = left < kBlock ? left : kBlock;
    const size_t escaped = CopyAndFind(to, from);
    if (escaped >= whole) {
      to += whole;
      from += whole;
    } else {
      to = WriteEscape(to + escaped, kEscapes[from[escaped]]);
      from += escaped + 1;
    }
  }
  to = WriteTail(to, from, end);
  *to++ = '"';
  return to;
}

}  // namespace shardlog::record
