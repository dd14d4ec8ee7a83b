// CRC-32C: its check value, its forms, and how CRCs of parts make that of the whole.
#include "format/crc32c.h"

#include <gtest/gtest.h>

#include <string>

#include "support/entries.h"

namespace shardlog::test {
namespace {

using format::Crc32c;
using format::Crc32cPortable;
using format::JoinCrc32c;

std::string RandomBytes(Random* random, size_t size) {
  std::string bytes;
  while (bytes.size() < size) bytes.push_back(static_cast<char>(random->Next()));
  return bytes;
}

TEST(Crc32c, IsThatOfTheStandard) {
  EXPECT_EQ(Crc32c("123456789", 9), 0xE3069283u);
  EXPECT_EQ(Crc32cPortable("123456789", 9), 0xE3069283u);
  const std::string zeros(32, '\0');  // RFC 3720, B.4
  EXPECT_EQ(Crc32c(zeros.data(), zeros.size()), 0x8A9136AAu);
}

TEST(Crc32c, IsTheSameWithAndWithoutTheProcessorsInstruction) {
  Random random(1);
  for (const size_t size : {0, 1, 7, 8, 9, 1000, 3071, 3072, 3073, 20000}) {
    const std::string bytes = RandomBytes(&random, size);
    EXPECT_EQ(Crc32c(bytes.data(), size), Crc32cPortable(bytes.data(), size)) << size;
  }
}

TEST(Crc32c, OfTwoPartsMakesThatOfTheWhole) {
  Random random(2);
  for (const size_t first : {0, 1, 8, 4000}) {
    for (const size_t second : {0, 1, 2, 3, 8, 255, 256, 65536, 70001}) {
      const std::string bytes = RandomBytes(&random, first + second);
      const uint32_t of_first = Crc32c(bytes.data(), first);
      const uint32_t of_second = Crc32c(bytes.data() + first, second);
      const uint32_t whole = Crc32c(bytes.data(), bytes.size());
      EXPECT_EQ(JoinCrc32c(of_first, of_second, second), whole) << first << " and " << second;
      EXPECT_EQ(Crc32c(bytes.data() + first, second, of_first), whole);
    }
  }
}

}  // namespace
}  // namespace shardlog::test
