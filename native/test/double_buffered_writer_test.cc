// Pieces reach the file in their order, one write at a time, while the next ones are made.
#include "sink/double_buffered_writer.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "engine/aligned_memory.h"

namespace shardlog::test {
namespace {

using engine::DoubleBufferedWriter;
using engine::IoStatus;
using engine::Overlap;

constexpr size_t kUnit = 512;

// A file in memory, whose writes can be held up and made to fail.
class SlowFile final : public io::File {
 public:
  ssize_t Append(const iovec* parts, int count, uint64_t* end) override {
    std::unique_lock<std::mutex> lock(mutex_);
    under_way_++;
    most_under_way_ = std::max(most_under_way_, under_way_);
    writers_.push_back(std::this_thread::get_id());
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    takes_signals_ = sigismember(&blocked, SIGTERM) == 0;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    under_way_--;
    if (error_ != 0) return -error_;
    const size_t bytes = Store(parts, count);
    *end = content_.size();
    return static_cast<ssize_t>(bytes);
  }
  ssize_t AppendBuffered(const iovec* parts, int count, uint64_t* end) override {
    return Append(parts, count, end);
  }

  void Hold() {
    Set([this] { held_ = true; });
  }
  void Release() {
    Set([this] { held_ = false; });
  }
  void Fail(int error) {
    Set([this, error] { error_ = error; });
  }
  void WriteShort(size_t bytes) {
    Set([this, bytes] { most_bytes_ = bytes; });
  }
  // Until a write is held up.
  void AwaitWrite() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return under_way_ > 0; });
  }
  const std::string& content() const { return content_; }
  const std::vector<std::thread::id>& writers() const { return writers_; }
  int most_under_way() const { return most_under_way_; }
  bool takes_signals() const { return takes_signals_; }

  ssize_t Overwrite(const void*, size_t, uint64_t) override { return -EBADF; }
  ssize_t Read(void*, size_t, uint64_t) override { return -EBADF; }
  int Sync() override { return -EBADF; }
  int Stat(io::FileInfo* info) override {
    info->size = content_.size();
    return 0;
  }
  int Lock() override { return 0; }
  bool direct() const override { return true; }
  const std::string& direct_reason() const override { return reason_; }
  size_t alignment() const override { return kUnit; }

 private:
  void Set(const std::function<void()>& change) {
    const std::lock_guard<std::mutex> lock(mutex_);
    change();
    changed_.notify_all();
  }

  size_t Store(const iovec* parts, int count) {
    std::string bytes;
    for (int i = 0; i < count; i++) {
      bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    }
    bytes.resize(std::min(bytes.size(), most_bytes_));
    content_ += bytes;
    return bytes.size();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  int error_ = 0;
  size_t most_bytes_ = SIZE_MAX;
  int under_way_ = 0;
  int most_under_way_ = 0;
  bool takes_signals_ = false;
  std::vector<std::thread::id> writers_;
  std::string content_;
  const std::string reason_;
};

// Has one file, which the test keeps an eye on.
class SlowFiles final : public io::FileSystem {
 public:
  std::unique_ptr<io::File> Open(const std::string&, const io::OpenOptions&, int*,
                                 const char**) override {
    auto file = std::make_unique<SlowFile>();
    opened = file.get();
    return file;
  }
  int StatPath(const std::string&, io::FileInfo*) override { return -ENOENT; }
  int SyncDirectory(const std::string&) override { return 0; }

  SlowFile* opened = nullptr;
};

// Threads of the writer's name: sanitizers have threads of their own.
int CountThreads() {
  int threads = 0;
  DIR* const tasks = opendir("/proc/self/task");
  for (const dirent* task = readdir(tasks); task != nullptr; task = readdir(tasks)) {
    std::ifstream file("/proc/self/task/" + std::string(task->d_name) + "/comm");
    std::string name;
    threads += std::getline(file, name) && name == "shardlog-write";
  }
  closedir(tasks);
  return threads;
}

// The kernel lists a thread for a moment after it has been joined.
bool AreAllGone() {
  for (int tries = 0; tries < 1000; tries++) {
    if (CountThreads() == 0) return true;
    usleep(10'000);
  }
  return false;
}

class Overlapped : public testing::TestWithParam<Overlap> {
 protected:
  Overlapped() { writer_.Start(&log_, 0); }

  // Memory that stays as long as the test.
  uint8_t* Piece(size_t number, size_t units) {
    pieces_.push_back(std::string(units * kUnit, static_cast<char>('a' + number)));
    expected_ += pieces_.back();
    memory_.emplace_back();
    memory_.back().Reserve(units * kUnit, 0);
    std::memcpy(memory_.back().data(), pieces_.back().data(), units * kUnit);
    return memory_.back().data();
  }
  IoStatus PutNext(size_t units = 1) {
    const size_t number = pieces_.size();
    return writer_.Put(Piece(number, units), units * kUnit, 1);
  }

  SlowFiles files_;
  engine::LogFile log_{&files_, "log", {}};
  SlowFile& file_ = *files_.opened;
  std::list<engine::AlignedMemory> memory_;
  std::vector<std::string> pieces_ = [] {
    std::vector<std::string> pieces;
    pieces.reserve(64);
    return pieces;
  }();
  std::string expected_;
  std::vector<size_t> landed_;
  DoubleBufferedWriter writer_{GetParam(), engine::BatchWriter::Unit::kBlocks,
                               [this](const engine::BatchWriter& pieces, uint64_t lines) {
                                 landed_.push_back(pieces.whole());
                                 lines_ += lines;
                               }};
  uint64_t lines_ = 0;
};

TEST_P(Overlapped, PiecesReachTheFileInTheirOrderOneWriteAtATime) {
  for (int i = 0; i < 20; i++) {
    writer_.Submit();
    ASSERT_TRUE(PutNext(1 + i % 3).ok());
  }
  EXPECT_TRUE(writer_.Finish().ok());
  EXPECT_EQ(file_.content(), expected_);
  EXPECT_EQ(lines_, 20u);
  EXPECT_EQ(std::accumulate(landed_.begin(), landed_.end(), size_t{0}), expected_.size());
  EXPECT_EQ(file_.most_under_way(), 1);
}

TEST_P(Overlapped, WritesThatDoHalfAreGoneOnWith) {
  file_.WriteShort(700);
  for (int i = 0; i < 5; i++) {
    writer_.Submit();
    ASSERT_TRUE(PutNext(3).ok());
  }
  EXPECT_TRUE(writer_.Finish().ok());
  EXPECT_EQ(file_.content(), expected_);
}

TEST_P(Overlapped, AFailureIsToldByTheNextPutAndNothingIsWrittenBehindIt) {
  file_.Fail(EROFS);
  ASSERT_TRUE(PutNext().ok());
  writer_.Submit();
  EXPECT_EQ(PutNext().error, EROFS);
  EXPECT_EQ(writer_.Wait().error, EROFS);
  file_.Fail(0);
  EXPECT_EQ(writer_.Finish().error, EROFS) << "what comes behind a gap is not written";
  EXPECT_EQ(file_.content(), "");
}

TEST_P(Overlapped, AFailureOfTheLastWriteIsToldByFinish) {
  ASSERT_TRUE(PutNext().ok());
  writer_.Submit();
  ASSERT_TRUE(PutNext().ok());
  file_.Fail(EIO);
  EXPECT_EQ(writer_.Finish().error, EIO);
}

TEST_P(Overlapped, AStartAfterAFailureKnowsNothingOfIt) {
  file_.Fail(EROFS);
  ASSERT_TRUE(PutNext().ok());
  writer_.Submit();
  EXPECT_EQ(writer_.Wait().error, EROFS);
  file_.Fail(0);
  expected_.clear();
  writer_.Start(&log_, 0);
  EXPECT_TRUE(PutNext().ok());
  EXPECT_TRUE(writer_.Finish().ok());
  EXPECT_EQ(file_.content(), expected_);
}

TEST_P(Overlapped, TheLastPieceIsWrittenByTheCaller) {
  ASSERT_TRUE(PutNext().ok());
  EXPECT_TRUE(writer_.Finish().ok());
  EXPECT_EQ(file_.writers(), std::vector{std::this_thread::get_id()});
}

TEST_P(Overlapped, WithNothingPutThereIsNothingToWrite) {
  writer_.Submit();
  EXPECT_TRUE(writer_.Put(nullptr, 0, 0).ok());
  writer_.Submit();
  EXPECT_TRUE(writer_.Finish().ok());
  EXPECT_TRUE(file_.writers().empty());
}

INSTANTIATE_TEST_SUITE_P(Overlap, Overlapped, testing::Values(Overlap::kNo, Overlap::kYes));

using WithItsThread = Overlapped;

TEST_P(WithItsThread, ProceedDoesNotWaitAndPutDoes) {
  file_.Hold();
  ASSERT_TRUE(PutNext().ok());
  writer_.Submit();
  file_.AwaitWrite();
  std::thread releaser([this] { file_.Release(); });
  EXPECT_TRUE(PutNext().ok());
  EXPECT_EQ(file_.content(), pieces_[0]) << "the write before has ended when Put returns";
  EXPECT_TRUE(writer_.Finish().ok());
  EXPECT_EQ(file_.content(), expected_);
  releaser.join();
}

TEST_P(WithItsThread, WaitEndsWithTheWrite) {
  file_.Hold();
  ASSERT_TRUE(PutNext().ok());
  writer_.Submit();
  file_.AwaitWrite();
  std::thread releaser([this] { file_.Release(); });
  EXPECT_TRUE(writer_.Wait().ok());
  EXPECT_EQ(file_.content(), expected_);
  releaser.join();
}

TEST_P(WithItsThread, TheThreadTakesNoSignals) {
  ASSERT_TRUE(PutNext().ok());
  writer_.Submit();
  EXPECT_TRUE(writer_.Wait().ok());
  EXPECT_NE(file_.writers().at(0), std::this_thread::get_id());
  EXPECT_FALSE(file_.takes_signals());
}

TEST_P(WithItsThread, TheThreadIsStartedWhenItIsNeededAndEndsWhenItIsTold) {
  ASSERT_TRUE(PutNext().ok());
  EXPECT_TRUE(writer_.Finish().ok());
  EXPECT_EQ(CountThreads(), 0) << "one piece needs none";
  for (int round = 0; round < 3; round++) {
    ASSERT_TRUE(PutNext().ok());
    writer_.Submit();
    EXPECT_TRUE(writer_.Finish().ok());
    EXPECT_EQ(CountThreads(), 1);
    writer_.EndThread();
    EXPECT_TRUE(AreAllGone());
  }
  EXPECT_EQ(file_.content(), expected_);
}

TEST_P(WithItsThread, TheEndWaitsForTheWrite) {
  file_.Hold();
  ASSERT_TRUE(PutNext().ok());
  writer_.Submit();
  file_.AwaitWrite();
  std::thread releaser([this] { file_.Release(); });
  writer_.EndThread();
  EXPECT_EQ(file_.content(), expected_);
  releaser.join();
}

TEST_P(WithItsThread, WithoutAThreadToBeHadTheCallerWrites) {
  pthread_attr_t before;
  ASSERT_EQ(pthread_getattr_default_np(&before), 0);
  pthread_attr_t impossible;
  ASSERT_EQ(pthread_attr_init(&impossible), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&impossible, size_t{1} << 48), 0);
  ASSERT_EQ(pthread_setattr_default_np(&impossible), 0);
  ASSERT_TRUE(PutNext().ok());
  writer_.Submit();
  pthread_setattr_default_np(&before);
  EXPECT_EQ(file_.writers(), std::vector{std::this_thread::get_id()});
  ASSERT_TRUE(PutNext().ok());
  writer_.Submit();
  EXPECT_TRUE(writer_.Finish().ok());
  EXPECT_EQ(file_.content(), expected_);
  EXPECT_NE(file_.writers().back(), std::this_thread::get_id()) << "it is there again";
  pthread_attr_destroy(&impossible);
  pthread_attr_destroy(&before);
}

INSTANTIATE_TEST_SUITE_P(Overlap, WithItsThread, testing::Values(Overlap::kYes));

}  // namespace
}  // namespace shardlog::test
