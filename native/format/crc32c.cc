#include "format/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace shardlog::format {
namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;  // 0x1EDC6F41 with its bits reversed

using Table = std::array<uint32_t, 256>;

constexpr uint32_t ShiftByte(uint32_t crc) {
  for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? kPolynomial : 0);
  return crc;
}

// tables[k][b]: the CRC of byte b followed by k zero bytes.
constexpr std::array<Table, 8> MakeTables() {
  std::array<Table, 8> tables{};
  for (uint32_t b = 0; b < 256; b++) tables[0][b] = ShiftByte(b);
  for (size_t k = 1; k < 8; k++) {
    for (uint32_t b = 0; b < 256; b++) {
      const uint32_t crc = tables[k - 1][b];
      tables[k][b] = crc >> 8 ^ tables[0][crc & 255];
    }
  }
  return tables;
}
constexpr std::array<Table, 8> kTables = MakeTables();

uint64_t Load64(const uint8_t* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// What `crc` becomes after kLaneBytes zero bytes, as four table look-ups: advancing a CRC over
// zeros is linear, so it can be tabulated per byte of the CRC.
constexpr size_t kLaneBytes = 1024;

constexpr std::array<Table, 4> MakeLaneShift() {
  // A 32x32 bit matrix over GF(2), one column per bit, squared until it stands for kLaneBytes
  // bytes.
  std::array<uint32_t, 32> matrix{};
  for (uint32_t bit = 0; bit < 32; bit++) matrix[bit] = ShiftByte(1u << bit);
  for (size_t bytes = 1; bytes < kLaneBytes; bytes *= 2) {
    std::array<uint32_t, 32> squared{};
    for (uint32_t bit = 0; bit < 32; bit++) {
      for (uint32_t k = 0; k < 32; k++) {
        if (matrix[bit] >> k & 1) squared[bit] ^= matrix[k];
      }
    }
    matrix = squared;
  }
  std::array<Table, 4> tables{};
  for (uint32_t part = 0; part < 4; part++) {
    for (uint32_t b = 0; b < 256; b++) {
      for (uint32_t bit = 0; bit < 8; bit++) {
        if (b >> bit & 1) tables[part][b] ^= matrix[part * 8 + bit];
      }
    }
  }
  return tables;
}
constexpr std::array<Table, 4> kLaneShift = MakeLaneShift();

[[maybe_unused]] uint32_t AppendLaneOfZeros(uint32_t crc) {
  return kLaneShift[0][crc & 255] ^ kLaneShift[1][crc >> 8 & 255] ^ kLaneShift[2][crc >> 16 & 255] ^
         kLaneShift[3][crc >> 24];
}

constexpr uint32_t kOne = 1u << 31;  // the polynomial 1: bits are reversed

// The product of two polynomials, modulo the CRC's.
constexpr uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = b >> 1 ^ (b & 1 ? kPolynomial : 0);
  }
  return product;
}

#if defined(__x86_64__) || defined(__aarch64__)

#if defined(__x86_64__)
#define SHARDLOG_CRC_TARGET __attribute__((target("sse4.2,crc32")))
// By CPUID itself: __builtin_cpu_supports needs a runtime library that not every toolchain has.
bool HasCrcInstruction() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_SSE4_2) != 0;
}
SHARDLOG_CRC_TARGET inline uint32_t Crc8(uint32_t crc, uint8_t v) { return _mm_crc32_u8(crc, v); }
SHARDLOG_CRC_TARGET inline uint32_t Crc64(uint32_t crc, uint64_t v) {
  return static_cast<uint32_t>(_mm_crc32_u64(crc, v));
}
#else
#define SHARDLOG_CRC_TARGET __attribute__((target("+crc")))
bool HasCrcInstruction() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
SHARDLOG_CRC_TARGET inline uint32_t Crc8(uint32_t crc, uint8_t v) { return __crc32cb(crc, v); }
SHARDLOG_CRC_TARGET inline uint32_t Crc64(uint32_t crc, uint64_t v) { return __crc32cd(crc, v); }
#endif

// The instruction has a latency of three cycles and a throughput of one, so three lanes run side by
// side and are joined afterwards.
SHARDLOG_CRC_TARGET uint32_t Crc32cHardware(const uint8_t* data, size_t size, uint32_t crc) {
  while (size >= 3 * kLaneBytes) {
    uint32_t second = 0;
    uint32_t third = 0;
    for (size_t at = 0; at < kLaneBytes; at += 8) {
      crc = Crc64(crc, Load64(data + at));
      second = Crc64(second, Load64(data + kLaneBytes + at));
      third = Crc64(third, Load64(data + 2 * kLaneBytes + at));
    }
    crc = AppendLaneOfZeros(AppendLaneOfZeros(crc) ^ second) ^ third;
    data += 3 * kLaneBytes;
    size -= 3 * kLaneBytes;
  }
  for (; size >= 8; size -= 8, data += 8) crc = Crc64(crc, Load64(data));
  for (; size > 0; size--, data++) crc = Crc8(crc, *data);
  return crc;
}

#endif

}  // namespace

// Behind its CRC, bytes shift a polynomial by 8 * second_bytes: multiplied by x as often, modulo
// the CRC's own.
uint32_t JoinCrc32c(uint32_t first, uint32_t second, uint64_t second_bytes) {
  uint32_t square = ShiftByte(kOne);  // x^8, then its square, and so on
  for (; second_bytes != 0; second_bytes >>= 1) {
    if (second_bytes & 1) first = Multiply(square, first);
    square = Multiply(square, square);
  }
  return first ^ second;
}

uint32_t Crc32cPortable(const void* data, size_t size, uint32_t crc) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  crc = ~crc;
  for (; size >= 8; size -= 8, bytes += 8) {
    const uint64_t v = Load64(bytes) ^ crc;
    crc = kTables[7][v & 255] ^ kTables[6][v >> 8 & 255] ^ kTables[5][v >> 16 & 255] ^
          kTables[4][v >> 24 & 255] ^ kTables[3][v >> 32 & 255] ^ kTables[2][v >> 40 & 255] ^
          kTables[1][v >> 48 & 255] ^ kTables[0][v >> 56];
  }
  for (; size > 0; size--, bytes++) crc = crc >> 8 ^ kTables[0][(crc ^ *bytes) & 255];
  return ~crc;
}

uint32_t Crc32c(const void* data, size_t size, uint32_t crc) {
#if defined(__x86_64__) || defined(__aarch64__)
  static const bool has_instruction = HasCrcInstruction();
  if (has_instruction) return ~Crc32cHardware(static_cast<const uint8_t*>(data), size, ~crc);
#endif
  return Crc32cPortable(data, size, crc);
}

}  // namespace shardlog::format
