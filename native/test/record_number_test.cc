// Numbers as JSON.stringify prints them. scripts/compare-with-node.js compares many more.
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "record/number_text.h"

namespace shardlog::record {
namespace {

std::string Number(double value) {
  char text[kNumberBytes];
  return {text, WriteNumber(text, value)};
}

std::string Int(int32_t value) {
  char text[kNumberBytes];
  return {text, WriteInt(text, value)};
}

void ExpectNumbers(const std::vector<std::pair<double, std::string>>& cases) {
  for (const auto& [value, text] : cases) EXPECT_EQ(Number(value), text);
}

TEST(NumberText, PrintsZeroOfEitherSignAsZero) { ExpectNumbers({{0, "0"}, {-0.0, "0"}}); }

TEST(NumberText, PrintsNullForWhatIsNotFinite) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  ExpectNumbers({{kInfinity, "null"},
                 {-kInfinity, "null"},
                 {std::numeric_limits<double>::quiet_NaN(), "null"}});
}

TEST(NumberText, PrintsIntegersWithoutAPoint) {
  ExpectNumbers({{1, "1"},
                 {-42, "-42"},
                 {1e15, "1000000000000000"},
                 {9007199254740991, "9007199254740991"},
                 {9007199254740992, "9007199254740992"}});
}

TEST(NumberText, FillsLargeIntegersUpWithZeros) {
  ExpectNumbers({{18014398509481984, "18014398509481984"},
                 {123456789012345678, "123456789012345680"},
                 {1e20, "100000000000000000000"},
                 {123456789012345680000.0, "123456789012345680000"},
                 {999999999999999868928.0, "999999999999999900000"}});
}

TEST(NumberText, HasAnExponentFrom1e21On) {
  ExpectNumbers({{1e21, "1e+21"},
                 {-1.5e22, "-1.5e+22"},
                 {std::numeric_limits<double>::max(), "1.7976931348623157e+308"}});
}

TEST(NumberText, HasAnExponentBelow1eMinus6) {
  ExpectNumbers({{1e-6, "0.000001"},
                 {1.25e-6, "0.00000125"},
                 {9.999999999999997e-7, "9.999999999999997e-7"},
                 {1e-7, "1e-7"},
                 {-1.5e-10, "-1.5e-10"},
                 {std::numeric_limits<double>::min(), "2.2250738585072014e-308"},
                 {std::numeric_limits<double>::denorm_min(), "5e-324"}});
}

TEST(NumberText, PrintsTheShortestDigitsThatReadBack) {
  ExpectNumbers({{0.1, "0.1"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1.0 / 3, "0.3333333333333333"},
                 {12.345, "12.345"},
                 {-12.5, "-12.5"},
                 {0.000001234, "0.000001234"},
                 {123456.789012, "123456.789012"},
                 {999999999.999999, "999999999.999999"},
                 {999999999.9999999, "999999999.9999999"},
                 {1000000000.5, "1000000000.5"},
                 {4503599627370495.5, "4503599627370495.5"}});
}

TEST(NumberText, PrintsEveryLengthOfInteger) {
  std::string digits;
  for (int length = 1; length <= 20; length++) {
    digits += static_cast<char>('0' + length % 10);
    char text[kNumberBytes];
    EXPECT_EQ(std::string(text, WriteUint64(text, std::stoull(digits))), digits);
  }
  char text[kNumberBytes];
  EXPECT_EQ(std::string(text, WriteUint64(text, UINT64_MAX)), "18446744073709551615");
}

TEST(NumberText, PrintsInts) {
  for (const int32_t value : {0, 7, -7, 10, 99, 100, 999, 1000, 9999, 10000, 12345678, 99999999,
                              100000000, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(Int(value), std::to_string(value));
  }
}

TEST(NumberText, PadsWithZeros) {
  char text[9];
  for (int digits = 1; digits <= 9; digits++) {
    WritePadded(text, 7, digits);
    EXPECT_EQ(std::string(text, text + digits), std::string(digits - 1, '0') + "7");
  }
  WritePadded(text, 123456789, 9);
  EXPECT_EQ(std::string(text, text + 9), "123456789");
}

}  // namespace
}  // namespace shardlog::record
