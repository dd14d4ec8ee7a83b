// Arenas as files and as memory: whose they are, what they are found by, what a child has of them.
#include "engine/arena.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "engine/arena_places.h"
#include "engine/error.h"
#include "engine/log.h"
#include "support/child.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::Config;
using engine::Log;

constexpr uint32_t kSomebodyElse = 54321;  // a user id

// A log whose arena lies in /dev/shm.
class ShmArena : public testing::Test {
 protected:
  ShmArena() : config_(SmallConfig(directory_.File("log"), 1)) {
    config_.crash_safe = engine::CrashSafe::kShm;
  }
  ~ShmArena() override {
    for (const std::string& path : made_) unlink(path.c_str());
  }

  // What a process that logged three entries and was killed has left. Returns the arena's path.
  std::string LeaveArena() {
    EXPECT_TRUE(LiveAndDie([&] {
      const auto log = Log::Open(config_);
      const auto producer = log->Attach();
      for (int i = 0; i < 3; i++) producer->Append("entry", 5);
      Die();
    }));
    io::FileInfo info;
    EXPECT_EQ(io::PosixFileSystem().StatPath(config_.path, &info), 0);
    made_.push_back(engine::ShmArenaPath(info));
    return made_.back();
  }

  TempDir directory_;
  Config config_;
  std::vector<std::string> made_;
};

TEST_F(ShmArena, IsTrustedIfItIsOursOrTheLogsOwners) {
  io::FileInfo log;
  log.owner = kSomebodyElse;
  EXPECT_TRUE(engine::IsTrustedOwner(geteuid(), log));
  EXPECT_TRUE(engine::IsTrustedOwner(kSomebodyElse, log));
  EXPECT_FALSE(engine::IsTrustedOwner(kSomebodyElse + 1, log));
}

TEST_F(ShmArena, OfAnotherUserIsNeitherReadNorInTheWay) {
  if (geteuid() != 0) return;  // only root can give files away
  const std::string arena = LeaveArena();
  ASSERT_EQ(chown(arena.c_str(), kSomebodyElse, kSomebodyElse), 0);
  const auto reports = engine::RecoverLog(config_.path, config_.io, false);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].set_aside, arena);
  EXPECT_NE(reports[0].reason.find("belongs to user 54321"), std::string::npos)
      << reports[0].reason;
  config_.crash_safe = engine::CrashSafe::kOff;
  const auto log = Log::Open(config_);
  EXPECT_EQ(log->Stats().recovered_logs, 0u);
  EXPECT_EQ(log->Stats().last_problem.code, "ERR_SHARDLOG_ARENA_ASIDE");
  EXPECT_TRUE(log->Close().ok());
  EXPECT_TRUE(Exists(arena));
}

TEST_F(ShmArena, OfTheLogsOwnerIsRecoveredByAnybodyWhoMay) {
  if (geteuid() != 0) return;  // only root can give files away
  const std::string arena = LeaveArena();
  ASSERT_EQ(chown(arena.c_str(), kSomebodyElse, kSomebodyElse), 0);
  ASSERT_EQ(chown(config_.path.c_str(), kSomebodyElse, kSomebodyElse), 0);
  EXPECT_EQ(engine::RecoverLog(config_.path, config_.io, false).at(0).entries, 3u);
  EXPECT_FALSE(Exists(arena));
}

}  // namespace
}  // namespace shardlog::test
