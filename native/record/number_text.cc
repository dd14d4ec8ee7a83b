#include "record/number_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "record/copy_text.h"

namespace shardlog::record {
namespace {

constexpr std::array<char, 200> MakePairs() {
  std::array<char, 200> pairs{};
  for (size_t n = 0; n < 100; n++) {
    pairs[2 * n] = static_cast<char>('0' + n / 10);
    pairs[2 * n + 1] = static_cast<char>('0' + n % 10);
  }
  return pairs;
}
constexpr std::array<char, 200> kPairs = MakePairs();  // "00" "01" ... "99"

inline void WritePair(char* to, size_t value) { std::memcpy(to, &kPairs[value * 2], 2); }

inline void Write4(char* to, uint32_t value) {
  WritePair(to, value / 100);
  WritePair(to + 2, value % 100);
}

inline void Write8(char* to, uint32_t value) {
  Write4(to, value / 10000);
  Write4(to + 4, value % 10000);
}

// Below 10,000, no zeros in front.
inline char* WriteUpTo4(char* to, uint32_t value) {
  if (value < 10) {
    *to = static_cast<char>('0' + value);
    return to + 1;
  }
  if (value < 100) {
    WritePair(to, value);
    return to + 2;
  }
  if (value < 1000) {
    *to = static_cast<char>('0' + value / 100);
    WritePair(to + 1, value % 100);
    return to + 3;
  }
  Write4(to, value);
  return to + 4;
}

// Below 100,000,000, no zeros in front.
inline char* WriteUpTo8(char* to, uint32_t value) {
  if (value < 10000) return WriteUpTo4(to, value);
  to = WriteUpTo4(to, value / 10000);
  Write4(to, value % 10000);
  return to + 4;
}

// The shortest digits that read back as a number, and where the point is: 0.d1d2d3... * 10^point.
struct Decimal {
  char digits[17];
  int count;
  int point;
};

// `value` is finite and above 0.
Decimal ShortestDecimal(double value) {
  // "d.ddde-dd" has the fewest digits that read back, and the closest of those, as ECMAScript
  // wants.
  char text[32];
  const char* const end =
      std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  Decimal decimal;
  decimal.digits[0] = text[0];
  const char* at = text + 1;
  if (*at == '.') at++;
  decimal.count = 1;
  while (*at != 'e') decimal.digits[decimal.count++] = *at++;
  at++;
  const bool negative = *at++ == '-';
  int exponent = 0;
  while (at < end) exponent = exponent * 10 + (*at++ - '0');
  decimal.point = (negative ? -exponent : exponent) + 1;
  return decimal;
}

char* WriteZeros(char* to, int count) {
  std::memset(to, '0', static_cast<size_t>(count));
  return to + count;
}

char* WriteDigits(char* to, const char* digits, int count) {
  std::memcpy(to, digits, static_cast<size_t>(count));
  return to + count;
}

char* WriteExponential(char* to, const Decimal& decimal) {
  *to++ = decimal.digits[0];
  if (decimal.count > 1) {
    *to++ = '.';
    to = WriteDigits(to, decimal.digits + 1, decimal.count - 1);
  }
  const int exponent = decimal.point - 1;
  *to++ = 'e';
  *to++ = exponent < 0 ? '-' : '+';
  return WriteUpTo4(to, static_cast<uint32_t>(std::abs(exponent)));
}

// Number::toString, steps 6 to 12.
char* WriteDecimal(char* to, const Decimal& decimal) {
  const int point = decimal.point;
  if (point > 21 || point <= -6) return WriteExponential(to, decimal);
  if (point <= 0) {
    to = WriteZeros(CopyLiteral(to, "0."), -point);
    return WriteDigits(to, decimal.digits, decimal.count);
  }
  if (decimal.count <= point) {
    to = WriteDigits(to, decimal.digits, decimal.count);
    return WriteZeros(to, point - decimal.count);
  }
  to = WriteDigits(to, decimal.digits, point);
  *to++ = '.';
  return WriteDigits(to, decimal.digits + point, decimal.count - point);
}

// Most numbers that people log have few decimals. If value * 10^6, rounded, is an integer of at
// most 15 digits and dividing it again gives value, it is the answer: decimals of up to 15 digits
// are told apart by doubles, so no other one reads back as value, and a shorter one neither.
constexpr double kScale = 1e6;
constexpr double kScaledBelow = 1e9;  // times kScale: 15 digits
constexpr double kScaledFrom = 1e-6;  // below, the exponential form begins

// Returns nullptr if `value`, which is in the range above and no integer, has more decimals.
inline char* WriteFewDecimals(char* to, double value) {
  // Where adding a half rounds wrongly the test fails, and the other way is taken.
  const double shifted = value * kScale + 0.5;
  const auto scaled = static_cast<uint64_t>(shifted);
  if (static_cast<double>(scaled) / kScale != value) return nullptr;
  const auto whole = static_cast<uint32_t>(scaled / 1000000);
  const auto fraction = static_cast<uint32_t>(scaled % 1000000);
  to = whole < 10000 ? WriteUpTo4(to, whole) : WriteUint64(to, whole);
  *to++ = '.';
  if (fraction % 1000 == 0) {
    WritePadded(to, fraction / 1000, 3);
    to += 3;
  } else {
    WritePadded(to, fraction, 6);
    to += 6;
  }
  while (to[-1] == '0') to--;
  return to;
}

}  // namespace

char* WriteUint64(char* to, uint64_t value) {
  constexpr uint64_t kEight = 100'000'000;
  if (value < kEight) return WriteUpTo8(to, static_cast<uint32_t>(value));
  const uint64_t upper = value / kEight;
  to = upper < kEight ? WriteUpTo8(to, static_cast<uint32_t>(upper)) : WriteUint64(to, upper);
  Write8(to, static_cast<uint32_t>(value % kEight));
  return to + 8;
}

char* WriteInt(char* to, int32_t value) {
  auto magnitude = static_cast<uint32_t>(value);
  if (value < 0) {
    *to++ = '-';
    magnitude = 0 - magnitude;
  }
  return WriteUint64(to, magnitude);
}

char* WriteNumber(char* to, double value) {
  constexpr double kExactBelow = 9007199254740992.0;  // 2^53: all integers below are doubles
  if (!std::isfinite(value)) return CopyLiteral(to, "null");
  if (value < 0) {
    *to++ = '-';
    value = -value;
  }
  if (value < kExactBelow) {
    const auto integer = static_cast<uint64_t>(value);
    if (static_cast<double>(integer) == value) return WriteUint64(to, integer);  // -0 is 0
  }
  if (value >= kScaledFrom && value < kScaledBelow) {
    char* const end = WriteFewDecimals(to, value);
    if (end != nullptr) return end;
  }
  return WriteDecimal(to, ShortestDecimal(value));
}

void WritePadded(char* to, uint32_t value, int digits) {
  for (; digits >= 2; digits -= 2, value /= 100) WritePair(to + digits - 2, value % 100);
  if (digits == 1) *to = static_cast<char>('0' + value % 10);
}

}  // namespace shardlog::record
