// A copy is a copy, however its ends lie.
#include "sink/non_temporal_copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/entries.h"

namespace shardlog::test {
namespace {

TEST(CopyNonTemporal, CopiesEveryByteAndNoOther) {
  Random random(1);
  std::string from;
  while (from.size() < 1000) from.push_back(static_cast<char>(random.Next() | 1));
  for (size_t start = 0; start < 70; start++) {
    for (const size_t bytes : {0, 1, 15, 16, 63, 64, 65, 127, 128, 129, 500, 640}) {
      const size_t source = start * 7 % 64;
      std::vector<uint8_t> to(1000, 0);
      engine::CopyNonTemporal(to.data() + start, from.data() + source, bytes);
      std::vector<uint8_t> expected(1000, 0);
      std::copy_n(from.begin() + static_cast<long>(source), bytes,
                  expected.begin() + static_cast<long>(start));
      EXPECT_EQ(to, expected) << bytes << " bytes from " << source << " to " << start;
    }
  }
}

}  // namespace
}  // namespace shardlog::test
