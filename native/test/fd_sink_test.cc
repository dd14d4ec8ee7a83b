// Lines that go to a reader who stops, takes a part, fails or goes away.
#include "sink/fd_sink.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "log/log.h"
#include "platform/futex.h"
#include "support/fake_stream.h"
#include "support/record_builder.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::Config;
using engine::IoStatus;
using engine::kNsPerMs;
using engine::Log;
using engine::LogStats;

class StreamLog : public testing::Test {
 protected:
  StreamLog() {
    config_ = SmallConfig("the reader", 1);
    config_.descriptor = 1;
    config_.content = engine::Content::kRecords;
    config_.format = engine::Format::kNdjson;
    config_.block_timeout_ns = 20 * kNsPerMs;
    config_.exit_timeout_ns = 20 * kNsPerMs;
  }

  void Open() {
    log_ = Log::Open(config_, reader_.Stream());
    producer_ = log_->Attach();
  }

  static std::string Line(int i, size_t size) {
    std::string line = std::to_string(i) + " ";
    return line + std::string(size, static_cast<char>('a' + i % 26)) + "\n";
  }

  void Say(int count, size_t size = 50) {
    for (int i = 0; i < count; i++) {
      const std::string line = Line(said_++, size);
      const Bytes record = TextLine(1000.0 + said_, line);
      if (producer_->Append(record.view().data(), record.size())) expected_ += line;
    }
  }

  // Accepted and lost lines, all of them in one place or the other.
  void ExpectAllCounted() {
    const LogStats stats = log_->Stats();
    EXPECT_EQ(stats.total_logs, static_cast<uint64_t>(said_));
    EXPECT_EQ(stats.written_logs + stats.dropped_logs, stats.total_logs);
    const std::string received = reader_.received();
    const auto lines = std::count(received.begin(), received.end(), '\n');
    EXPECT_EQ(stats.written_logs, static_cast<uint64_t>(lines));
    EXPECT_EQ(stats.bytes_written, received.size());
  }

  FakeReader reader_;
  Config config_;
  std::shared_ptr<Log> log_;
  std::shared_ptr<engine::Producer> producer_;
  std::string expected_;
  int said_ = 0;
};

TEST_F(StreamLog, BringsEachLineOnce) {
  reader_.Read(FakeReader::kEndless);
  Open();
  for (int i = 0; i < 5; i++) {
    Say(200);
    ASSERT_TRUE(log_->Flush().ok());
  }
  EXPECT_EQ(reader_.received(), expected_);
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(reader_.received(), expected_);
  ExpectAllCounted();
}

TEST_F(StreamLog, GoesOnBehindEachShortWrite) {
  reader_.Read(FakeReader::kEndless);
  reader_.TakeAtMost(7);
  Open();
  Say(300);
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(reader_.received(), expected_);
  ExpectAllCounted();
}

TEST_F(StreamLog, WritesWholeLinesUpToWhatIsTakenAtOnce) {
  reader_.Read(FakeReader::kEndless);
  reader_.SetAtomic(256);
  Open();
  for (int i = 0; i < 100; i++) Say(1, i % 10 == 0 ? 700 : static_cast<size_t>(i));
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(reader_.received(), expected_);
  size_t end = 0;
  for (const size_t size : reader_.writes()) {
    const size_t start = end;
    end += size;
    EXPECT_EQ(expected_[end - 1], '\n');
    const size_t first_end = expected_.find('\n', start) + 1;
    EXPECT_TRUE(size <= 256 || first_end == end) << "a long line goes alone";
  }
}

TEST_F(StreamLog, GoesOnInTheMiddleOfALineWhenTheReaderDoes) {
  reader_.SetAtomic(1);
  Open();
  Say(100);
  reader_.Read(1234);
  const IoStatus status = log_->Flush();
  EXPECT_EQ(status.error, ETIMEDOUT);
  EXPECT_EQ(log_->Stats().last_problem.code, "ERR_SHARDLOG_STALLED");
  EXPECT_EQ(reader_.received(), expected_.substr(0, 1234));
  reader_.Read(FakeReader::kEndless);
  while (!log_->Flush().ok()) {
  }
  EXPECT_EQ(reader_.received(), expected_);
  EXPECT_TRUE(log_->Close().ok());
  ExpectAllCounted();
}

TEST_F(StreamLog, DoesNotRepeatWhatHadGoneOutBeforeAFailureThatPasses) {
  reader_.TakeAtMost(100);
  reader_.Read(1000);
  Open();
  Say(200);
  EXPECT_FALSE(log_->Flush().ok());
  reader_.Fail(ENOSPC, 1, true);
  reader_.Read(FakeReader::kEndless);
  while (!log_->Flush().ok()) {
  }
  EXPECT_EQ(reader_.received(), expected_);
  EXPECT_EQ(log_->Stats().flush_errors, 1u);
  EXPECT_TRUE(log_->Close().ok());
  ExpectAllCounted();
}

TEST_F(StreamLog, DropsAndCountsOnceTheReaderHasGone) {
  config_.num_shards = 2;
  config_.buffer_bytes = 4 * engine::kMinShardBytes;
  reader_.TakeAtMost(100);
  reader_.Read(1000);
  Open();
  int told = 0;
  log_->flusher().errors().AddListener(&told, [&told](const auto&) { told++; });
  Say(200);
  EXPECT_FALSE(log_->Flush().ok());
  reader_.Fail(EPIPE, 1'000'000, false);
  reader_.Read(1);
  while (!log_->Flush().ok()) {
  }
  Say(5000);
  EXPECT_TRUE(log_->Flush().ok());
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(told, 0);
  EXPECT_EQ(log_->Stats().last_problem.error_number, EPIPE);
  EXPECT_EQ(reader_.received(), expected_.substr(0, reader_.received().size()));
  ExpectAllCounted();
}

TEST_F(StreamLog, TellsOfOtherEndsThanAClosedPipe) {
  reader_.Read(FakeReader::kEndless);
  Open();
  int told = 0;
  log_->flusher().errors().AddListener(&told, [&told](const auto&) { told++; });
  reader_.Fail(ECONNRESET, 1, false);
  Say(10);
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(told, 1);
  EXPECT_EQ(log_->Stats().dropped_logs, 10u);
}

TEST_F(StreamLog, DropsWhileTheReaderIsStalledAndKeepsTheOthersInOrder) {
  Open();
  Say(20'000);
  reader_.AwaitStall();
  Say(20'000);
  EXPECT_GT(log_->Stats().dropped_logs, 0u);
  reader_.Read(FakeReader::kEndless);
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(reader_.received(), expected_);
  ExpectAllCounted();
}

TEST_F(StreamLog, WaitsUnderBlockUntilTheReaderGoesOn) {
  config_.on_full = engine::OnFull::kBlock;
  config_.block_timeout_ns = platform::kForever;
  Open();
  std::thread reading([this] {
    reader_.AwaitStall();
    reader_.Read(FakeReader::kEndless);
  });
  Say(20'000);
  reading.join();
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(log_->Stats().dropped_logs, 0u);
  EXPECT_EQ(reader_.received(), expected_);
}

TEST_F(StreamLog, EndsWithAStalledReaderAndCountsWhatWasWhole) {
  for (const size_t room : {0u, 1u, 1000u, 5000u}) {
    FakeReader reader;
    reader.SetAtomic(1);
    const auto log = Log::Open(config_, reader.Stream());
    const auto producer = log->Attach();
    for (int i = 0; i < 100; i++) {
      const Bytes record = TextLine(1, Line(i, 50));
      ASSERT_TRUE(producer->Append(record.view().data(), record.size()));
    }
    reader.Read(room);
    const IoStatus status = log->Close();
    EXPECT_EQ(status.error, ETIMEDOUT);
    const std::string received = reader.received();
    EXPECT_EQ(received.size(), room);
    const auto lines = static_cast<uint64_t>(std::count(received.begin(), received.end(), '\n'));
    EXPECT_EQ(log->Stats().written_logs, lines);
    EXPECT_EQ(log->Stats().dropped_logs, 100 - lines);
    EXPECT_EQ(log->Stats().last_problem.code, "ERR_SHARDLOG_STALLED");
  }
}

TEST_F(StreamLog, TheEndInterruptsAWaitForTheReader) {
  config_.block_timeout_ns = 0;
  Open();
  Say(100);
  EXPECT_EQ(log_->Flush().error, ETIMEDOUT);
  reader_.AwaitStall();
  EXPECT_EQ(log_->Close().error, ETIMEDOUT);
  EXPECT_EQ(log_->Stats().dropped_logs, 100u);
}

TEST_F(StreamLog, IsNotLedAstrayByAReaderThatHasRoomAndTakesNothing) {
  reader_.Read(FakeReader::kEndless);
  reader_.Vex(9);
  config_.block_timeout_ns = platform::kForever;
  Open();
  Say(10);
  EXPECT_TRUE(log_->Flush().ok());
  EXPECT_EQ(reader_.received(), expected_);
}

TEST_F(StreamLog, WritesWithoutBeingAskedHoweverLongNothingWasSaid) {
  config_.flush_interval_ns = kNsPerMs / 10;
  reader_.Read(FakeReader::kEndless);
  Open();
  for (int i = 0; i < 300; i++) {
    Say(1 + i % 3);
    while (reader_.received().size() < expected_.size()) std::this_thread::yield();
    // Sometimes before, sometimes after the flusher has lain down.
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(50 * (i % 10)));
  }
  EXPECT_EQ(reader_.received(), expected_);
}

TEST_F(StreamLog, ThreadsThatBeginAtAnyTimeAreHeard) {
  config_.flush_interval_ns = kNsPerMs / 10;
  config_.on_full = engine::OnFull::kBlock;
  config_.block_timeout_ns = platform::kForever;
  config_.num_shards = 4;
  config_.buffer_bytes = 8 * engine::kMinShardBytes;
  reader_.Read(FakeReader::kEndless);
  Open();
  constexpr int kThread = 4;
  constexpr int kLines = 300;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThread; t++) {
    threads.emplace_back([this, t] {
      const auto producer = log_->Attach();
      for (int i = 0; i < kLines; i++) {
        const Bytes record = TextLine(i, Line(t, 30));
        ASSERT_TRUE(producer->Append(record.view().data(), record.size()));
        if (i % 20 == t) std::this_thread::sleep_for(std::chrono::microseconds(300));
      }
      log_->Detach(producer);
    });
  }
  for (std::thread& thread : threads) thread.join();
  size_t bytes = 0;
  for (int t = 0; t < kThread; t++) bytes += kLines * Line(t, 30).size();
  while (reader_.received().size() < bytes) std::this_thread::yield();
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(log_->Stats().written_logs, static_cast<uint64_t>(kThread * kLines));
}

}  // namespace
}  // namespace shardlog::test
