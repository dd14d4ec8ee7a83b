// What the flusher does when the kernel says no: the entries are kept, tried again, written once.
#include "engine/flusher.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "log/log.h"
#include "support/entries.h"
#include "support/faulty_files.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::Config;
using engine::Log;

class Faults : public testing::Test {
 protected:
  void Open(size_t alignment = 0) {
    files_.SetAlignment(alignment);
    log_ = Log::Open(SmallConfig(path(), 1), &files_);
    producer_ = log_->Attach();
  }
  std::string path() const { return directory_.File("log"); }

  void Say(int count) {
    for (int i = 0; i < count; i++) {
      const std::string entry = MakeEntry(0, said_, 20 + said_ * 37 % 700);
      ASSERT_TRUE(producer_->Append(entry.data(), entry.size()));
      said_++;
    }
  }

  void ExpectAllOnce() {
    const PlainLog log = ReadPlainLog(path());
    EXPECT_EQ(log.complaints, std::vector<std::string>{});
    EntryCheck check = CheckEntries(log.Entries());
    EXPECT_EQ(check.complaints, std::vector<std::string>{});
    EXPECT_EQ(check.count[0], said_);
  }

  TempDir directory_;
  FaultyFiles files_;
  std::shared_ptr<Log> log_;
  std::shared_ptr<engine::Producer> producer_;
  uint32_t said_ = 0;
};

class EveryErrno : public Faults, public testing::WithParamInterface<int> {};

TEST_P(EveryErrno, OfAWriteThatPassesLosesNothing) {
  const int error = GetParam();
  Open();
  Say(20);
  ASSERT_TRUE(log_->Flush().ok());
  Say(20);
  files_.Fail(Call::kWrite, error, 2);
  for (int attempt = 0; !log_->Flush().ok() && attempt < 5; attempt++) {
  }
  Say(20);
  EXPECT_TRUE(log_->Close().ok());
  ExpectAllOnce();
}

class EveryLastingErrno : public EveryErrno {};

TEST_P(EveryLastingErrno, OfAWriteFailsFlushAndKeepsTheEntries) {
  const int error = GetParam();
  Open();
  Say(20);
  files_.Fail(Call::kWrite, error, FaultyFiles::kForEver);
  const engine::IoStatus status = log_->Flush();
  EXPECT_EQ(status.error, error);
  const engine::LogStats stats = log_->Stats();
  EXPECT_GE(stats.flush_errors, 1u);
  EXPECT_EQ(stats.flushes, 0u);
  EXPECT_EQ(stats.last_problem.code, "ERR_SHARDLOG_WRITE");
  EXPECT_EQ(stats.last_problem.error_number, error);
  Say(20);
  EXPECT_EQ(producer_->dropped(), 0u) << "the other set takes what comes";
  files_.Clear();
  EXPECT_TRUE(log_->Flush().ok()) << "logging resumes when the cause is gone";
  EXPECT_TRUE(log_->Close().ok());
  ExpectAllOnce();
}

INSTANTIATE_TEST_SUITE_P(Write, EveryErrno,
                         testing::Values(ENOSPC, EIO, EDQUOT, EROFS, EFBIG, EINTR, EAGAIN, ENOMEM,
                                         EBADF, EPERM, EINVAL));
INSTANTIATE_TEST_SUITE_P(Write, EveryLastingErrno,
                         testing::Values(ENOSPC, EIO, EDQUOT, EROFS, EFBIG, EAGAIN, ENOMEM, EBADF,
                                         EPERM, EINVAL));

class ShortWrites : public Faults, public testing::WithParamInterface<size_t> {};

TEST_P(ShortWrites, AreContinued) {
  for (const size_t alignment : {size_t{0}, size_t{4096}}) {
    said_ = 0;
    std::remove(path().c_str());
    Open(alignment);
    Say(100);
    files_.WriteShort(GetParam(), 3);
    EXPECT_TRUE(log_->Flush().ok());
    EXPECT_TRUE(log_->Close().ok());
    ExpectAllOnce();
  }
}

INSTANTIATE_TEST_SUITE_P(Bytes, ShortWrites,
                         testing::Values(0, 1, 511, 512, 513, 4096, 5000, 40000));

TEST_F(Faults, ThatComeAndGoLoseNothing) {
  Open();
  Random random(9);
  const Call calls[] = {Call::kWrite, Call::kStatPath, Call::kRead, Call::kStat};
  const int errors[] = {EIO, ENOSPC, EINTR, EDQUOT, EROFS};
  for (int round = 0; round < 60; round++) {
    Say(5);
    files_.Fail(calls[random.Next() % 4], errors[random.Next() % 5],
                static_cast<int>(random.Between(1, 5)));
    log_->Flush();
    files_.Clear();
  }
  EXPECT_TRUE(log_->Flush().ok());
  EXPECT_TRUE(log_->Close().ok());
  ExpectAllOnce();
}

TEST_F(Faults, AFullDiskEndsInDropsThatAreCounted) {
  Open();
  files_.Fail(Call::kWrite, ENOSPC, FaultyFiles::kForEver);
  uint32_t dropped = 0;
  const std::string entry(1000, 'x');
  while (dropped < 10) dropped += producer_->Append(entry.data(), entry.size()) ? 0 : 1;
  EXPECT_EQ(log_->Stats().dropped_logs, 10u);
  files_.Clear();
  EXPECT_TRUE(log_->Flush().ok());
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(ReadPlainLog(path()).Entries().size(), log_->Stats().written_logs);
  EXPECT_EQ(log_->Stats().written_logs + 10, log_->Stats().total_logs);
}

TEST_F(Faults, ACloseThatFailsCountsWhatIsLost) {
  Open();
  Say(30);
  files_.Fail(Call::kWrite, EIO, FaultyFiles::kForEver);
  EXPECT_FALSE(log_->Close().ok());
  EXPECT_EQ(log_->Stats().dropped_logs, 30u);
  EXPECT_FALSE(producer_->Append("late", 4));
}

TEST_F(Faults, ACloseThatFailsLeavesTheArenaForTheNextOpening) {
  Config config = SmallConfig(path(), 1);
  config.crash_safe = engine::CrashSafe::kFile;
  log_ = Log::Open(config, &files_);
  producer_ = log_->Attach();
  Say(30);
  files_.Fail(Call::kWrite, EIO, FaultyFiles::kForEver);
  EXPECT_FALSE(log_->Close().ok());
  EXPECT_EQ(log_->Stats().dropped_logs, 0u);
  EXPECT_FALSE(producer_->Append("late", 4))
      << "nothing is accepted into an arena that was given up";
  files_.Clear();
  const auto next = Log::Open(config);
  EXPECT_EQ(next->Stats().recovered_logs, 30u);
  EXPECT_TRUE(next->Close().ok());
  ExpectAllOnce();
}

// --- the file changes under us ---

TEST_F(Faults, ADeletedLogIsMadeAnew) {
  Open();
  Say(5);
  ASSERT_TRUE(log_->Flush().ok());
  unlink(path().c_str());
  EXPECT_TRUE(producer_->Append("after", 5));
  ASSERT_TRUE(log_->Flush().ok());
  EXPECT_EQ(log_->Stats().reopens, 1u);
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(ReadPlainLog(path()).Entries(), std::vector<std::string>{"after"});
}

TEST_F(Faults, ATruncatedLogIsGoneOnWithAtItsEnd) {
  Open();
  Say(5);
  ASSERT_TRUE(log_->Flush().ok());
  ASSERT_EQ(truncate(path().c_str(), 0), 0);
  EXPECT_TRUE(producer_->Append("after", 5));
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(ReadPlainLog(path()).Entries(), std::vector<std::string>{"after"});
}

TEST_F(Faults, WhatAnotherProgramAppendsStays) {
  Open();
  Say(5);
  ASSERT_TRUE(log_->Flush().ok());
  std::ofstream(path(), std::ios::app) << "hello from outside\n";
  Say(5);
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_NE(ReadFile(path()).find("hello from outside\n"), std::string::npos);
  EXPECT_EQ(CheckEntries(ReadPlainLog(path()).Entries()).count[0], 10u);
}

TEST_F(Faults, ABlockThatAnotherProgramCutInTwoIsBegunAnew) {
  Open();
  Say(20);
  ASSERT_TRUE(log_->Flush().ok());
  Say(20);
  files_.WriteShort(600);
  // Before the block's rest.
  files_.At(1, 0, [&] { std::ofstream(path(), std::ios::app) << "a line of another\n"; });
  EXPECT_TRUE(log_->Flush().ok());
  Say(20);
  EXPECT_TRUE(log_->Close().ok());
  EntryCheck check = CheckEntries(ReadPlainLog(path()).Entries());
  EXPECT_EQ(check.complaints, std::vector<std::string>{});
  EXPECT_EQ(check.count[0], said_);
  EXPECT_NE(ReadFile(path()).find("a line of another\n"), std::string::npos);
}

TEST_F(Faults, ACloseWithNothingToWriteLeavesWhatOthersAppended) {
  Open();
  Say(5);
  ASSERT_TRUE(log_->Flush().ok());
  std::ofstream(path(), std::ios::app) << "hello from outside\n";
  const std::string before = ReadFile(path());
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(ReadFile(path()), before);
}

TEST_F(Faults, ACloseWithNothingToWriteDoesNotBlowATruncatedLogUp) {
  Open();
  Say(5);
  ASSERT_TRUE(log_->Flush().ok());
  ASSERT_EQ(truncate(path().c_str(), 0), 0);
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_EQ(ReadFile(path()), "");
}

TEST_F(Faults, ADirectWriteRefusedInTheMiddleIsDoneAgainInItsPlace) {
  files_.PretendDirect();
  Config config = SmallConfig(path(), 1);
  config.io.direct = io::DirectIo::kAuto;
  log_ = Log::Open(config, &files_);
  producer_ = log_->Attach();
  Say(20);
  ASSERT_TRUE(log_->Flush().ok());
  Say(60);
  files_.WriteShort(8192);
  files_.Fail(Call::kWrite, EINVAL, 1, 1);
  EXPECT_TRUE(log_->Flush().ok());
  EXPECT_FALSE(log_->Stats().io.direct);
  EXPECT_NE(log_->Stats().io.reason.find("EINVAL"), std::string::npos);
  Say(20);
  EXPECT_TRUE(log_->Close().ok());
  ExpectAllOnce();
}

TEST_F(Faults, AShortDirectWriteIsCompletedAndTheNextGoesDirectAgain) {
  files_.PretendDirect();
  Config config = SmallConfig(path(), 1);
  config.io.direct = io::DirectIo::kAuto;
  log_ = Log::Open(config, &files_);
  producer_ = log_->Attach();
  for (const size_t bytes : {size_t{700}, size_t{1}, size_t{1024}}) {
    Say(60);
    files_.WriteShort(bytes);
    EXPECT_TRUE(log_->Flush().ok());
    EXPECT_EQ(log_->Stats().io.reason.find("EINVAL"), std::string::npos) << "not given up";
  }
  EXPECT_TRUE(log_->Close().ok());
  ExpectAllOnce();
}

TEST_F(Faults, OfOpening) {
  for (const int error : {EACCES, EROFS, EMFILE, ENOSPC}) {
    files_.Fail(Call::kOpen, error);
    try {
      Log::Open(SmallConfig(path(), 1), &files_);
      ADD_FAILURE() << "opened";
    } catch (const engine::Error& failure) {
      EXPECT_EQ(failure.code(), "ERR_SHARDLOG_IO");
      EXPECT_EQ(failure.error_number(), error);
    }
  }
  files_.Fail(Call::kStat, EIO);
  EXPECT_THROW(Log::Open(SmallConfig(path(), 1), &files_), engine::Error);
  files_.Clear();
  files_.Fail(Call::kLock, EWOULDBLOCK);
  EXPECT_THROW(Log::Open(SmallConfig(path(), 1), &files_), engine::Error);
  files_.Clear();
  EXPECT_TRUE(Log::Open(SmallConfig(path(), 1), &files_)->Close().ok());
}

TEST_F(Faults, BlocksOnADeviceOf4096ByteSectorsAreAligned) {
  Open(4096);
  for (int i = 0; i < 20; i++) {
    Say(7);
    ASSERT_TRUE(log_->Flush().ok());
  }
  EXPECT_TRUE(log_->Close().ok());
  ExpectAllOnce();
  for (const PlainBlock& block : ReadPlainLog(path()).blocks) EXPECT_EQ(block.offset % 4096, 0u);
  EXPECT_EQ(ReadFile(path()).size() % 4096, 0u);
}

// Looks for its file, and does in the first look what `during` says.
class LookingSink : public engine::Sink {
 public:
  LookingSink(std::shared_ptr<engine::BufferSets> sets, const Config& config,
              engine::FlushStats* stats, engine::ErrorReporter* errors,
              std::function<void()> during)
      : Sink(std::move(sets), config, stats, errors), during_(std::move(during)) {}

  void LookForFile() override {
    if (looks_.fetch_add(1) == 0) during_();
  }
  uint32_t looks() const { return looks_; }

  uint64_t CommitPartial() override { return 0; }
  void Finish() override {}
  void Close() override {}
  engine::IoMode io_mode() const override { return {}; }
  io::FileInfo file_info() const override { return {}; }

 protected:
  engine::IoStatus WriteSealed(uint64_t, engine::BlockTotals*) override { return {}; }
  engine::FlushError ProblemOf(const engine::IoStatus&) const override { return {}; }

 private:
  const std::function<void()> during_;
  std::atomic<uint32_t> looks_{0};
};

// What was moved while the flusher looked may have been moved behind it.
TEST(LookForFile, ThatIsAskedForInALookWaitsForTheNext) {
  const Config config = SmallConfig("log", 1);
  const auto sets =
      std::make_shared<engine::BufferSets>(engine::Arena::Create(config, io::FileInfo{}, 1));
  LookingSink* sink = nullptr;
  engine::Flusher* asked = nullptr;
  std::thread other;
  std::atomic<bool> asks{false};
  uint32_t looks = 0;
  engine::Flusher flusher(sets, std::make_shared<engine::Signals>(), config,
                          [&](engine::FlushStats* stats, engine::ErrorReporter* errors) {
                            auto made =
                                std::make_unique<LookingSink>(sets, config, stats, errors, [&] {
                                  other = std::thread([&] {
                                    asks = true;
                                    asked->LookForFile();
                                    looks = sink->looks();
                                  });
                                  while (!asks) std::this_thread::yield();
                                  // It is about to ask; if it comes after this look, the next one
                                  // is its own as well.
                                  std::this_thread::sleep_for(std::chrono::milliseconds(20));
                                });
                            sink = made.get();
                            return made;
                          });
  asked = &flusher;
  flusher.Start();
  flusher.LookForFile();
  other.join();
  EXPECT_EQ(looks, 2u);
  EXPECT_TRUE(flusher.Stop().ok());
}

}  // namespace
}  // namespace shardlog::test
