// Lines that are larger than a shard: whole, once and in their thread's order, whatever else is
// going on, and nothing of them is left behind.
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "format/crc32c.h"
#include "log/log.h"
#include "record/merge.h"
#include "support/child.h"
#include "support/faulty_files.h"
#include "support/plain_log.h"
#include "support/record_builder.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::Config;
using engine::Log;

constexpr int kThread = 4;

class SpilledLines : public testing::TestWithParam<engine::CrashSafe> {
 protected:
  // Shards of 64 KiB.
  Config LineConfig() const {
    Config config = SmallConfig(path(), 2);
    config.buffer_bytes = 4 * engine::kMinShardBytes;
    config.crash_safe = GetParam();
    config.content = engine::Content::kRecords;
    config.format = engine::Format::kNdjson;
    config.on_full = engine::OnFull::kBlock;
    config.block_timeout_ns = UINT64_MAX;
    return config;
  }
  std::string path() const { return directory_.File("log"); }

  static std::string Line(int thread, int number, size_t size) {
    return std::to_string(thread) + " " + std::to_string(number) + " " + std::string(size, 'x') +
           "\n";
  }

  // Numbers of each thread's lines, in the order in which they are in the file.
  std::vector<std::vector<int>> Numbers() const {
    std::vector<std::vector<int>> numbers(kThread);
    std::istringstream text(ReadFile(path()));
    for (std::string line; std::getline(text, line);) {
      std::istringstream words(line);
      int thread = 0;
      int number = 0;
      words >> thread >> number;
      numbers.at(static_cast<size_t>(thread)).push_back(number);
    }
    return numbers;
  }

  size_t FilesLeft() const {
    size_t count = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::filesystem::path(path()).parent_path())) {
      if (entry.path() != path()) count++;
    }
    return count;
  }

  TempDir directory_;
};

TEST_P(SpilledLines, OfSeveralThreadsAreAllThereInTheirOrder) {
  constexpr int kLines = 200;
  const auto log = Log::Open(LineConfig());
  std::vector<std::thread> threads;
  for (int t = 0; t < kThread; t++) {
    threads.emplace_back([&log, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      const auto producer = log->Attach();
      for (int i = 0; i < kLines; i++) {
        const size_t size = random() % 3 == 0 ? random() % 300'000 : random() % 2'000;
        const Bytes entry = TextLine(i, Line(t, i, size));
        ASSERT_TRUE(producer->Append(entry.view().data(), entry.size()));
      }
      log->Detach(producer);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(log->Close().ok());
  for (const std::vector<int>& numbers : Numbers()) {
    ASSERT_EQ(numbers.size(), static_cast<size_t>(kLines));
    for (int i = 0; i < kLines; i++) EXPECT_EQ(numbers[static_cast<size_t>(i)], i);
  }
  EXPECT_EQ(log->Stats().written_logs, static_cast<uint64_t>(kThread * kLines));
  EXPECT_EQ(FilesLeft(), 0u);
}

TEST_P(SpilledLines, AreTheSameWhenTheirGenerationIsWrittenAgain) {
  FaultyFiles files;
  const auto log = Log::Open(LineConfig(), &files);
  const auto producer = log->Attach();
  std::string expected;
  files.Fail(Call::kWrite, EROFS, 3, 0);
  for (int i = 0; i < 10; i++) {
    const std::string line = Line(0, i, i % 2 == 0 ? 100'000 : 10);
    const Bytes entry = TextLine(i, line);
    ASSERT_TRUE(producer->Append(entry.view().data(), entry.size()));
    expected += line;
  }
  EXPECT_TRUE(log->Close().ok());
  EXPECT_EQ(ReadFile(path()), expected);
  EXPECT_EQ(FilesLeft(), 0u);
}

// Under kDrop no call waits, and what waits is bounded.
TEST_P(SpilledLines, WaitInABoundedNumberWhereCallsDoNot) {
  Config config = LineConfig();
  config.on_full = engine::OnFull::kDrop;
  config.flush_interval_ns = 0;
  FaultyFiles files;
  const auto log = Log::Open(config, &files);
  files.Fail(Call::kWrite, EROFS, FaultyFiles::kForEver, 0);
  const auto producer = log->Attach();
  int accepted = 0;
  for (int i = 0; i < 20; i++) {
    const Bytes entry = TextLine(i, Line(0, i, 100'000));
    if (producer->Append(entry.view().data(), entry.size())) accepted++;
  }
  EXPECT_EQ(accepted, 2);  // of 100 KB, beside buffers of 256 KiB
  EXPECT_EQ(log->Stats().dropped_logs, 18u);
  files.Fail(Call::kWrite, 0, 0, 0);
  EXPECT_TRUE(log->Close().ok());
  EXPECT_EQ(Numbers()[0], (std::vector<int>{0, 1}));
}

INSTANTIATE_TEST_SUITE_P(Arenas, SpilledLines,
                         testing::Values(engine::CrashSafe::kFile, engine::CrashSafe::kOff));

// One payload, whatever is asked for.
class OnePayload final : public record::SpillSource {
 public:
  explicit OnePayload(const Bytes& payload) : bytes_(new uint8_t[payload.size()]) {
    std::copy(payload.view().begin(), payload.view().end(), bytes_.get());
  }
  std::shared_ptr<const uint8_t[]> Load(const record::Spilled&) const override { return bytes_; }

 private:
  std::shared_ptr<uint8_t[]> bytes_;
};

Bytes SpilledEntry(double time, const Bytes& payload) {
  Bytes entry;
  entry.Add(std::string(record::kSpilledBytes, '\0'));
  record::EncodeSpilled(entry.data(), {time, 1, payload.size(), 0});
  return entry;
}

// The lines of a segment of `entries`; *damaged: of how many there is none.
std::string Rendered(const std::vector<Bytes>& entries, const record::SpillSource* spills,
                     uint64_t* damaged) {
  Segment segment;
  for (const Bytes& entry : entries) segment.Add(entry);
  record::SegmentRenderer renderer;
  record::LineBuffer lines;
  const record::SegmentView view = segment.view();
  renderer.Open(view.entries, view.valid, spills);
  while (renderer.Next()) renderer.Append(&lines);
  *damaged = renderer.damaged();
  return std::string(lines.data(), lines.size());
}

TEST(SpilledRecord, IsRenderedWithWhatItDefinesAndDefinesNothingForOthers) {
  const Bytes definition = TemplateDefinition(1, {.head = "{\"spilled\":1"});
  const Bytes of_segment = TemplateDefinition(1, {.head = "{\"in\":\"segment\""});
  const Bytes line = Record({1, 0, 5}, Bytes());
  const Bytes spilled = Bundle({definition}, line);
  const OnePayload spills(spilled);
  uint64_t damaged = 0;
  EXPECT_EQ(
      Rendered({Bundle({of_segment}, line), SpilledEntry(6, spilled), line}, &spills, &damaged),
      "{\"in\":\"segment\"}\n{\"spilled\":1}\n{\"in\":\"segment\"}\n");
  EXPECT_EQ(damaged, 0u);
}

TEST(SpilledRecord, IsDamagedWhereItCannotBeHadOrIsNoLine) {
  uint64_t damaged = 0;
  const Bytes text = TextLine(1, "x\n");
  EXPECT_EQ(Rendered({SpilledEntry(1, text), text}, nullptr, &damaged), "x\n");
  EXPECT_EQ(damaged, 1u);
  Bytes longer = SpilledEntry(1, text);
  longer.Add(uint8_t{0});
  const OnePayload source(text);
  EXPECT_EQ(Rendered({longer, text}, &source, &damaged), "x\n");
  EXPECT_EQ(damaged, 1u);
  for (const Bytes& wrong : {SpilledEntry(1, text), Record({9, 0, 1}, Bytes()), Bytes().Add('?')}) {
    const OnePayload spills(wrong);
    EXPECT_EQ(Rendered({SpilledEntry(1, wrong), text}, &spills, &damaged), "x\n");
    EXPECT_EQ(damaged, 1u);
  }
}

}  // namespace
}  // namespace shardlog::test
