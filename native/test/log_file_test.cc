// The log's file over its life.
#include "engine/log_file.h"

#include <gtest/gtest.h>

#include <string>

#include "support/faulty_files.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::LogFile;

constexpr uint64_t kMiB = 1u << 20;

class OneLogFile : public testing::Test {
 protected:
  std::string path() const { return directory_.File("log"); }

  TempDir directory_;
  FaultyFiles files_;
};

// Reserved ahead of a write of a sector, with sets of `set_bytes` and so much space left.
struct Reserve {
  uint64_t free_space;
  uint64_t set_bytes;
  uint64_t reserved;
};

class ReserveAhead : public OneLogFile, public testing::WithParamInterface<Reserve> {};

TEST_P(ReserveAhead, TakesAFewSetsAndASmallShareOfTheSpaceAtMost) {
  files_.SetFreeSpace(GetParam().free_space);
  LogFile file(&files_, path(), SmallConfig("", 1).io);
  file.Prepare();
  file.ReserveAhead(512, GetParam().set_bytes);
  EXPECT_EQ(files_.last_allocated(), GetParam().reserved);
}

INSTANTIATE_TEST_SUITE_P(Of, ReserveAhead,
                         testing::Values(Reserve{uint64_t{1} << 40, 32 * kMiB, 64 * kMiB},
                                         Reserve{uint64_t{1} << 40, kMiB / 16, kMiB / 4},
                                         Reserve{640 * kMiB, 32 * kMiB, 10 * kMiB},
                                         Reserve{20000, 32 * kMiB, 512},
                                         Reserve{0, 32 * kMiB, 512}));

TEST_F(OneLogFile, ReservesAnewOnlyWhenWhatWasReservedIsUsedUp) {
  files_.SetFreeSpace(uint64_t{1} << 40);
  LogFile file(&files_, path(), SmallConfig("", 1).io);
  file.Prepare();
  for (int i = 0; i < 9; i++) {
    file.ReserveAhead(kMiB, kMiB);
    file.Advance(kMiB);
  }
  EXPECT_EQ(files_.count(Call::kAllocate), 3);
}

}  // namespace
}  // namespace shardlog::test
