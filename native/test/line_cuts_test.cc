// Where batches of lines end, and how many lines they are.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "engine/geometry.h"
#include "sink/batch_writer.h"
#include "sink/line_count.h"
#include "sink/log_file.h"
#include "support/entries.h"
#include "support/faulty_files.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::kPageBytes;

TEST(CountLines, CountsEveryOneAndNothingElse) {
  Random random(1);
  std::vector<uint8_t> text(100'000);
  for (uint8_t& byte : text) byte = random.Next() % 3 == 0 ? '\n' : static_cast<uint8_t>(0x8a);
  for (const size_t size : {0, 1, 31, 32, 33, 255 * 32 - 1, 255 * 32, 255 * 32 + 1, 99'000}) {
    for (size_t from = 0; from < 40; from++) {
      const auto begin = text.begin() + static_cast<long>(from);
      const auto expected = std::count(begin, begin + static_cast<long>(size), '\n');
      EXPECT_EQ(engine::CountLines(text.data() + from, size), static_cast<uint64_t>(expected));
    }
  }
  const std::vector<uint8_t> ends(255 * 32 * 3 + 7, '\n');
  EXPECT_EQ(engine::CountLines(ends.data(), ends.size()), ends.size());
}

class BestCut : public testing::Test {
 protected:
  static constexpr size_t kSector = 512;
  static constexpr size_t kSize = 64 * kPageBytes;
  static constexpr size_t kInPage = 100;  // where in a page the batch begins
  static constexpr uint64_t kOffset = 3 * kPageBytes + kInPage;

  void SetUp() override {
    files_.SetAlignment(kSector);
    log_ =
        std::make_unique<engine::LogFile>(&files_, directory_.File("log"), SmallConfig("", 1).io);
    writer_.Start(log_.get(), 0);
  }

  // Of lines that end at these places.
  size_t Of(const std::vector<size_t>& ends) const {
    std::string text(kSize, 'x');
    for (const size_t end : ends) text[end - 1] = '\n';
    return writer_.BestCut(reinterpret_cast<const uint8_t*>(text.data()), kSize, kOffset);
  }
  static constexpr size_t Page(size_t number) { return number * kPageBytes - kInPage; }

  TempDir directory_;
  FaultyFiles files_;
  std::unique_ptr<engine::LogFile> log_;
  engine::BatchWriter writer_{engine::BatchWriter::Unit::kLines};
};

TEST_F(BestCut, IsAPageNearTheEnd) {
  EXPECT_EQ(Of({Page(10), Page(60), Page(60) + kSector, kSize - 5}), Page(60));
}

TEST_F(BestCut, IsASectorWhereAPageIsFarFromTheEnd) {
  EXPECT_EQ(Of({Page(10), Page(50) + 3 * kSector, kSize - 5}), Page(50) + 3 * kSector);
  EXPECT_EQ(Of({Page(10), kSize - 5}), Page(10));
}

TEST_F(BestCut, IsTheLastLineEndWhereNoneIsAtASector) {
  EXPECT_EQ(Of({Page(10) + 1, kSize - 5}), kSize - 5);
  EXPECT_EQ(Of({}), 0u);
}

}  // namespace
}  // namespace shardlog::test
