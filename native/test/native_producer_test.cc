// Events of other addons: include/shardlog/recorder.h. Their content is read by
// test/recorder/native-producers.test.ts.
#include "recorder/native_producer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/ring_events.h"

namespace shardlog::recorder {
namespace {

std::shared_ptr<NativeRecorder> Recorder(uint32_t segments, const Kept& kept = {}) {
  return std::make_shared<NativeRecorder>(
      std::make_shared<Ring>(RingOptions{"", segments, "{}", ""}), kept);
}

TEST(NativeProducer, RecordsBesideOthersAndGivesItsLeaseUp) {
  const auto recorder = Recorder(kLeastSegments);
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      shardlog_producer* const producer = recorder->attach(recorder.get(), t);
      ASSERT_NE(producer, nullptr);
      for (int i = 0; i < 3000; i++) {
        const std::string message = "message " + std::to_string(i % 1500);
        const shardlog_field fields[] = {shardlog_int("n", i), shardlog_string("text", "some")};
        recorder->record(producer, 30, i % 2 == 0 ? "target" : nullptr, message.c_str(), fields, 2);
      }
      recorder->detach(producer);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const RingStats stats = recorder->ring()->Stats();
  EXPECT_EQ(stats.recorded + stats.dropped, 12'000u);
  EXPECT_EQ(stats.producers, 0u);
  const test::RingContent content = test::ReadRing(*recorder->ring());
  EXPECT_EQ(content.recorded, stats.recorded);
  EXPECT_EQ(content.overwritten, stats.overwritten);
}

TEST(NativeProducer, DropsAndCountsWhatCannotBe) {
  const auto recorder = Recorder(kLeastSegments);
  shardlog_producer* const producer = recorder->attach(recorder.get(), 1);
  const std::string long_key(70'000, 'k');
  const shardlog_field by_key = shardlog_null(long_key.c_str());
  EXPECT_FALSE(recorder->record(producer, 30, "t", "m", &by_key, 1));
  const std::string long_text(64u << 20, 'x');
  const shardlog_field by_text = shardlog_string("text", long_text.c_str());
  EXPECT_FALSE(recorder->record(producer, 30, "t", "m", &by_text, 1));
  EXPECT_EQ(recorder->ring()->Stats().dropped, 2u);
  EXPECT_TRUE(recorder->record(producer, 30, nullptr, nullptr, nullptr, 0));
  recorder->detach(producer);
}

TEST(NativeProducer, IsOfNoUseWhenTheRecorderIsClosed) {
  auto recorder = Recorder(kLeastSegments, {40, 1, "msg"});
  shardlog_producer* const producer = recorder->attach(recorder.get(), 1);
  const shardlog_field fields[] = {shardlog_bool("a", true), shardlog_number("b", 1.5)};
  EXPECT_FALSE(recorder->record(producer, 30, "t", "below", fields, 2));
  EXPECT_TRUE(recorder->record(producer, 40, "t", "kept", fields, 2));
  EXPECT_EQ(recorder->ring()->Stats().truncated, 1u);
  recorder->Close();
  EXPECT_FALSE(recorder->record(producer, 50, "t", "late", fields, 2));
  // It may end after what it was made of.
  const shardlog_recorder calls = *recorder;
  recorder.reset();
  calls.detach(producer);
}

}  // namespace
}  // namespace shardlog::recorder
