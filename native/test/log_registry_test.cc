// One log for each file of the process, whatever its name, and nobody waits for another file's.
#include "log/log_registry.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <string>

#include "engine/error.h"
#include "support/child.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::Log;

// Files whose opening takes until it is let go on.
class SlowFiles final : public io::FileSystem {
 public:
  std::unique_ptr<io::File> Open(const std::string& path, const io::OpenOptions& options,
                                 int* error, const char** call) override {
    std::unique_lock<std::mutex> lock(mutex_);
    opening_++;
    changed_.notify_all();
    changed_.wait(lock, [this] { return free_; });
    *error = error_;
    return error_ == 0 ? io::PosixFileSystem().Open(path, options, error, call) : nullptr;
  }
  int StatPath(const std::string& path, io::FileInfo* info) override {
    return io::PosixFileSystem().StatPath(path, info);
  }
  int SyncDirectory(const std::string& path) override {
    return io::PosixFileSystem().SyncDirectory(path);
  }

  void AwaitOpening(int count = 1) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return opening_ >= count; });
  }
  // `error`: 0 or -errno, what opening comes to.
  void LetGoOn(int error = 0) {
    const std::lock_guard<std::mutex> lock(mutex_);
    error_ = error;
    free_ = true;
    changed_.notify_all();
  }
  int opening() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return opening_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int opening_ = 0;
  int error_ = 0;
  bool free_ = false;
};

class Registry : public testing::Test {
 protected:
  engine::Config ConfigOf(const std::string& name) const {
    return SmallConfig(directory_.path() + "/" + name, 1);
  }
  std::future<std::shared_ptr<Log>> JoinSlowly(const std::string& name) {
    return std::async(std::launch::async,
                      [this, name] { return engine::Join(ConfigOf(name), &files_); });
  }

  TempDir directory_;
  SlowFiles files_;
};

TEST_F(Registry, OneFileIsOneLogUnderAnyName) {
  const auto first = engine::Join(ConfigOf("log"));
  const auto second = engine::Join(ConfigOf("./log"));
  EXPECT_EQ(first, second);
  EXPECT_TRUE(engine::Leave(first).ok());
  const auto producer = second->Attach();
  EXPECT_TRUE(producer->Append("still open", 10));
  EXPECT_TRUE(engine::Leave(second).ok());
  EXPECT_EQ(ReadPlainLog(directory_.File("log")).Entries(), std::vector<std::string>{"still open"});
}

TEST_F(Registry, OtherFilesAndForkDoNotWaitForASlowOpening) {
  auto slow = JoinSlowly("slow");
  files_.AwaitOpening();
  const auto other = engine::Join(ConfigOf("other"));
  EXPECT_TRUE(engine::Leave(other).ok());
  EXPECT_TRUE(LiveAndDie([] {}));
  files_.LetGoOn();
  EXPECT_TRUE(engine::Leave(slow.get()).ok());
}

TEST_F(Registry, WhoOpensAFileThatIsBeingOpenedJoinsIt) {
  auto first = JoinSlowly("log");
  files_.AwaitOpening();
  auto second = JoinSlowly("log");
  auto third = JoinSlowly("./log");
  files_.LetGoOn();
  const std::shared_ptr<Log> log = first.get();
  EXPECT_EQ(second.get(), log);
  EXPECT_EQ(third.get(), log);
  for (int i = 0; i < 3; i++) EXPECT_TRUE(engine::Leave(log).ok());
}

TEST_F(Registry, AFileThatIsMadeUnderTwoNamesAtOnceIsOneLog) {
  auto first = JoinSlowly("log");
  auto second = JoinSlowly("./log");
  files_.AwaitOpening(2);  // neither has found it by its inode
  files_.LetGoOn();
  const std::shared_ptr<Log> log = first.get();
  EXPECT_EQ(second.get(), log);
  for (int i = 0; i < 2; i++) EXPECT_TRUE(engine::Leave(log).ok());
}

TEST_F(Registry, WhoWaitedForAnOpeningThatFailsTriesItself) {
  auto first = JoinSlowly("log");
  files_.AwaitOpening();
  auto second = JoinSlowly("log");
  files_.LetGoOn(-EACCES);
  EXPECT_THROW(first.get(), engine::Error);
  EXPECT_THROW(second.get(), engine::Error);
  EXPECT_EQ(files_.opening(), 2);
}

TEST_F(Registry, ALogWhoseFileWasMovedOrDeletedIsJoinedByItsPath) {
  const auto log = engine::Join(ConfigOf("log"));
  ASSERT_EQ(rename(directory_.File("log").c_str(), directory_.File("moved").c_str()), 0);
  EXPECT_EQ(engine::Join(ConfigOf("log")), log);
  ASSERT_EQ(unlink(directory_.File("moved").c_str()), 0);
  EXPECT_EQ(engine::Join(ConfigOf("log")), log);
  for (int i = 0; i < 3; i++) EXPECT_TRUE(engine::Leave(log).ok());
  const auto next = engine::Join(ConfigOf("log"));
  EXPECT_NE(next, log);
  EXPECT_TRUE(engine::Leave(next).ok());
}

// A renamed log is a log of its own under its new name, and the one that was renamed away begins
// the old name anew.
TEST(RenamedLog, IsALogOfItsOwnUnderItsNewName) {
  TempDir directory;
  const std::string rotated = directory.File("log.1");
  const engine::Config config = SmallConfig(directory.File("log"), 1);
  const auto first = engine::Join(config);
  first->Attach()->Append("first", 5);
  ASSERT_TRUE(first->Flush().ok());
  ASSERT_EQ(rename(config.path.c_str(), rotated.c_str()), 0);
  const auto second = engine::Join(SmallConfig(rotated, 1));
  EXPECT_NE(first, second);
  second->Attach()->Append("second", 6);
  first->Attach()->Append("third", 5);
  EXPECT_EQ(engine::Join(config), first);
  EXPECT_TRUE(engine::Leave(first).ok());
  EXPECT_TRUE(engine::Leave(first).ok());
  EXPECT_TRUE(engine::Leave(second).ok());
  EXPECT_EQ(ReadPlainLog(rotated).Entries(), (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(ReadPlainLog(config.path).Entries(), (std::vector<std::string>{"third"}));
}

}  // namespace
}  // namespace shardlog::test
