// docs/reference/record-format.md, section 5.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "record/merge.h"
#include "support/record_builder.h"

namespace shardlog::record {
namespace {

using test::Bytes;
using test::Segment;
using test::TextLine;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// One generation of TEXT lines, each its time and the name of its place.
class Merging : public testing::Test {
 protected:
  // Segments of one producer, each a list of times. Names are the producer's id and a count.
  void Add(uint32_t producer, const std::vector<std::vector<double>>& segments) {
    Producer& added = producers_.emplace_back();
    added.id = producer;
    int count = 0;
    for (const std::vector<double>& times : segments) {
      Segment& segment = added.segments.emplace_back();
      for (const double time : times) {
        segment.Add(
            TextLine(time, std::to_string(producer) + "." + std::to_string(count++) + "\n"));
      }
    }
  }

  std::vector<ProducerSegments> Inputs() {
    std::vector<ProducerSegments> inputs;
    for (Producer& producer : producers_) {
      producer.views.clear();
      for (Segment& segment : producer.segments) producer.views.push_back(segment.view());
      inputs.push_back({producer.id, producer.views});
    }
    return inputs;
  }

  std::vector<std::string> Chunks(size_t chunk_bytes) {
    std::vector<std::string> chunks;
    MergeLines(&merger_, Inputs(), chunk_bytes, &buffer_, [&chunks](const LineBuffer& chunk) {
      chunks.emplace_back(chunk.data(), chunk.size());
    });
    return chunks;
  }

  std::string Merged() {
    std::string text;
    for (const std::string& chunk : Chunks(size_t{4} << 20)) text += chunk;
    return text;
  }

  struct Producer {
    uint32_t id;
    std::vector<Segment> segments;
    std::vector<SegmentView> views;
  };
  std::vector<Producer> producers_;
  LineMerger merger_;
  LineBuffer buffer_;
};

TEST_F(Merging, OfNothingGivesNothing) {
  EXPECT_TRUE(Chunks(100).empty());
  Add(1, {});
  Add(2, {{}, {}});
  EXPECT_TRUE(Chunks(100).empty());
}

TEST_F(Merging, OrdersLinesByTime) {
  Add(2, {{10, 30}, {50}});
  Add(1, {{20}, {}, {40, 60}});
  EXPECT_EQ(Merged(), "2.0\n1.0\n2.1\n1.1\n2.2\n1.2\n");
}

TEST_F(Merging, OfEqualTimesTheLowerProducerGoesFirst) {
  Add(3, {{10, 10, 20}});
  Add(1, {{10, 20, 20}});
  Add(2, {{5, 10}});
  EXPECT_EQ(Merged(), "2.0\n1.0\n2.1\n3.0\n3.1\n1.1\n1.2\n3.2\n");
}

TEST_F(Merging, KeepsTheOrderOfAThreadWhoseClockWasSetBack) {
  Add(1, {{10, 5, 7}, {6, 20}});
  Add(2, {{6, 8, 10, 15}});
  EXPECT_EQ(Merged(), "2.0\n2.1\n1.0\n1.1\n1.2\n1.3\n2.2\n2.3\n1.4\n");
}

TEST_F(Merging, KeepsALineWhoseTimeIsNotANumberBehindTheOneBeforeIt) {
  Add(1, {{10, kNaN, 30}});
  Add(2, {{5, 10, 20}});
  EXPECT_EQ(Merged(), "2.0\n1.0\n1.1\n2.1\n2.2\n1.2\n");
}

TEST_F(Merging, PutsInfiniteTimesAtTheEnds) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Add(1, {{kInfinity, 1}});
  Add(2, {{-kInfinity, 5}});
  EXPECT_EQ(Merged(), "2.0\n2.1\n1.0\n1.1\n");
}

TEST_F(Merging, CountsDamageAndGoesOn) {
  Add(1, {{10}, {20}});
  Add(2, {{15}});
  producers_[0].segments[0].Add(Bytes().Add(uint8_t{9})).AddRaw(Bytes().Add(uint32_t{0}));
  EXPECT_EQ(Merged(), "1.0\n2.0\n1.1\n");
  EXPECT_EQ(merger_.damaged(), 2u);
}

TEST_F(Merging, NeverSplitsALineBetweenChunks) {
  Add(1, {{1, 3, 5}, {7}});
  Add(2, {{2, 4, 6}});
  const std::vector<std::string> expected{"1.0\n2.0\n", "1.1\n2.1\n", "1.2\n2.2\n", "1.3\n"};
  EXPECT_EQ(Chunks(5), expected);
  EXPECT_EQ(Chunks(8), expected);
  EXPECT_EQ(Chunks(1).size(), 7u);
}

TEST_F(Merging, StartsAnewForEveryGeneration) {
  Add(1, {{1, 2}});
  Add(2, {{1}});
  const std::string first = Merged();
  EXPECT_EQ(Merged(), first);
  producers_.pop_back();
  EXPECT_EQ(Merged(), "1.0\n1.1\n");
}

TEST_F(Merging, IsAStableSortByTheLatestTimeOfEachThread) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; round++) {
    struct Expected {
      double time;
      uint32_t producer;
      std::string line;
    };
    std::vector<Expected> expected;
    producers_.clear();
    for (uint32_t producer = 1; producer <= 1 + random() % 6; producer++) {
      std::vector<std::vector<double>> segments(random() % 4);
      double latest = -std::numeric_limits<double>::infinity();
      int count = 0;
      for (std::vector<double>& times : segments) {
        for (size_t left = random() % 10; left > 0; left--) {
          const double time = random() % 20 == 0 ? kNaN : static_cast<double>(random() % 15);
          times.push_back(time);
          if (time > latest) latest = time;
          const std::string name = std::to_string(producer) + "." + std::to_string(count++);
          expected.push_back({latest, producer, name + "\n"});
        }
      }
      Add(producer, segments);
    }
    std::stable_sort(expected.begin(), expected.end(), [](const Expected& a, const Expected& b) {
      return a.time != b.time ? a.time < b.time : a.producer < b.producer;
    });
    std::string text;
    for (const Expected& line : expected) text += line.line;
    std::string merged;
    for (const std::string& chunk : Chunks(1 + random() % 40)) merged += chunk;
    ASSERT_EQ(merged, text);
  }
}

}  // namespace
}  // namespace shardlog::record
