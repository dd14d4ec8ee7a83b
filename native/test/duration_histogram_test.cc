// What a histogram of durations tells of them.
#include "engine/duration_histogram.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace shardlog::engine {
namespace {

TEST(DurationHistogram, CountsThoseUpToABoundToWithinABucket) {
  DurationHistogram histogram;
  EXPECT_EQ(histogram.Read().CountUpTo(UINT64_MAX), 0u);
  const std::vector<uint64_t> durations = {0, 31, 32, 1'000, 100'000, 1'000'000'000};
  for (const uint64_t ns : durations) histogram.Record(ns);
  for (size_t i = 0; i < durations.size(); i++) {
    EXPECT_EQ(histogram.Read().CountUpTo(durations[i] + durations[i] / 32), i + 1) << durations[i];
    if (durations[i] > 0) {
      EXPECT_EQ(histogram.Read().CountUpTo(durations[i] - 1), i) << durations[i];
    }
  }
  EXPECT_EQ(histogram.Read().CountUpTo(UINT64_MAX), durations.size());
}

TEST(DurationHistogram, CountsWhatIsLongerThanAllBucketsInTheLast) {
  DurationHistogram histogram;
  histogram.Record(UINT64_MAX);
  EXPECT_EQ(histogram.Read().CountUpTo(1'000'000'000), 0u);
  EXPECT_EQ(histogram.Read().CountUpTo(UINT64_MAX), 1u);
  EXPECT_EQ(histogram.Read().count(), 1u);
}

}  // namespace
}  // namespace shardlog::engine
