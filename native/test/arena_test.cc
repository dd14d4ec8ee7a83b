// Arenas as files and as memory: whose they are, what they are found by, what a child has of them.
#include "engine/arena.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "engine/arena_file.h"
#include "engine/arena_paths.h"
#include "engine/error.h"
#include "log/log.h"
#include "log/log_registry.h"
#include "support/child.h"
#include "support/rig.h"
#include "support/sanitizers.h"

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
  EXPECT_TRUE(engine::IsTrustedOwner(0, log));
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

TEST(ArenaHeader, HoldsThePathInFullOrNotAtAll) {
  for (const size_t size :
       {size_t{10}, engine::kMaxArenaPathBytes, engine::kMaxArenaPathBytes + 1}) {
    const Config config = SmallConfig("/" + std::string(size - 1, 'p'), 1);
    const auto arena = engine::Arena::Create(config, io::FileInfo{}, 1);
    const engine::ArenaHeader& header = arena->header();
    EXPECT_EQ(std::string(header.path, header.path_bytes),
              size <= engine::kMaxArenaPathBytes ? config.path : "");
  }
}

// The name keeps the inode that the log had when it was opened.
TEST_F(ShmArena, OfALogThatWasRotatedIsFoundByTheLogsPath) {
  const std::string arena = LeaveArena();
  ASSERT_EQ(rename(config_.path.c_str(), directory_.File("rotated").c_str()), 0);
  const auto log = Log::Open(config_);
  EXPECT_EQ(log->Stats().recovered_logs, 3u);
  EXPECT_TRUE(log->Close().ok());
  EXPECT_FALSE(Exists(arena));
  EXPECT_EQ(ReadPlainLog(config_.path).Entries().size(), 3u);
}

TEST_F(ShmArena, OfAnotherPathIsLeftAlone) {
  const std::string arena = LeaveArena();
  Config other = config_;
  other.path = directory_.File("other");
  EXPECT_TRUE(Log::Open(other)->Close().ok());
  EXPECT_TRUE(Exists(arena));
}

// As if the file system had given a deleted log's inode to the next file.
TEST_F(ShmArena, OfALogThatHasGoneIsSetAsideWhenItsInodeIsAnothers) {
  const std::string left = LeaveArena();
  Config other = config_;
  other.path = directory_.File("other");
  usleep(50'000);  // file systems tell births in ticks of some ms
  std::ofstream(other.path).flush();
  io::FileInfo info;
  ASSERT_EQ(io::PosixFileSystem().StatPath(other.path, &info), 0);
  const std::string arena = engine::ShmArenaPath(info);
  made_.push_back(arena);
  ASSERT_EQ(rename(left.c_str(), arena.c_str()), 0);
  {
    const std::shared_ptr<engine::Arena> opened = engine::Arena::Open(arena, info);
    opened->KeepChanges();
    opened->SetLog(info);
  }
  const auto log = Log::Open(other);
  EXPECT_EQ(log->Stats().recovered_logs, 0u);
  const engine::FlushError problem = log->Stats().last_problem;
  EXPECT_EQ(problem.code, "ERR_SHARDLOG_ARENA_ASIDE");
  EXPECT_TRUE(log->Close().ok());
  EXPECT_TRUE(Exists(problem.path)) << problem.message;
  made_.push_back(problem.path);
}

TEST_F(ShmArena, OfALogThatWasMovedIsRecoveredWhereItIsNow) {
  const std::string arena = LeaveArena();
  Config moved = config_;
  moved.path = directory_.File("moved");
  ASSERT_EQ(rename(config_.path.c_str(), moved.path.c_str()), 0);
  const auto log = Log::Open(moved);
  EXPECT_EQ(log->Stats().recovered_logs, 3u);
  EXPECT_TRUE(log->Close().ok());
  EXPECT_FALSE(Exists(arena));
}

// The name that tells the inode of a log's first file stays, although the file has been rotated.
TEST_F(ShmArena, OfALogThatWasRotatedIsNotInTheWayOfTheFileThatWasItsOwn) {
  Config rotated = config_;
  rotated.path = directory_.File("log.1");
  io::FileInfo info;
  EXPECT_TRUE(LiveAndDie([&] {
    const auto log = Log::Open(config_);
    const auto producer = log->Attach();
    producer->Append("before", 6);
    if (!log->flusher().Flush().ok()) _exit(1);
    if (rename(config_.path.c_str(), rotated.path.c_str()) != 0) _exit(2);
    producer->Append("after", 5);
    if (!log->flusher().Flush().ok()) _exit(3);
    producer->Append("left", 4);
    const auto own = Log::Open(rotated);
    own->Attach()->Append("own", 3);
    if (own->Stats().arena_path == log->Stats().arena_path) _exit(4);
    Die();
  }));
  ASSERT_EQ(io::PosixFileSystem().StatPath(rotated.path, &info), 0);
  const std::string first = engine::ShmArenaPath(info);
  made_.push_back(first);
  const auto own = Log::Open(rotated);
  EXPECT_EQ(own->Stats().recovered_logs, 1u);
  const std::string arena = own->Stats().arena_path;
  EXPECT_NE(arena, first);
  EXPECT_TRUE(own->Close().ok());
  EXPECT_FALSE(Exists(arena));
  EXPECT_TRUE(Exists(first));
  const auto log = Log::Open(config_);
  EXPECT_EQ(log->Stats().recovered_logs, 1u);
  EXPECT_TRUE(log->Close().ok());
  EXPECT_FALSE(Exists(first));
}

TEST(Opening, MakesAnArenaThatItMayOpenUnderAnyUmask) {
  TempDir directory;
  Config config = SmallConfig(directory.File("log"), 1);
  config.crash_safe = engine::CrashSafe::kFile;
  const mode_t before = umask(0777);
  const auto log = Log::Open(config);
  umask(before);
  struct stat st;
  ASSERT_EQ(stat(log->Stats().arena_path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  EXPECT_TRUE(log->Close().ok());
}

TEST(Opening, ThatWantsDirectIoWhereThereIsNoneLeavesNoLog) {
  const std::string path = "/dev/shm/shardlog-test-" + std::to_string(getpid());
  Config config = SmallConfig(path, 1);
  config.io.direct = io::DirectIo::kRequired;
  EXPECT_THROW(Log::Open(config), engine::Error);
  EXPECT_FALSE(Exists(path));
}

TEST(Opening, WithoutAThreadLeavesNothing) {
  TempDir directory;
  Config config = SmallConfig(directory.File("log"), 1);
  config.crash_safe = engine::CrashSafe::kFile;
  ASSERT_EQ(chmod(directory.File("").c_str(), 0777), 0);
  EXPECT_TRUE(LiveAndDie([&] {
    // Nobody's processes are too many already. Root's never are.
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(1);
    const rlimit none{1, 1};
    setrlimit(RLIMIT_NPROC, &none);
    try {
      Log::Open(config);
      _exit(2);
    } catch (const engine::Error& error) {
      if (error.error_number() != EAGAIN) _exit(3);
    }
    if (Exists(engine::FileArenaPath(config.path)) || Exists(config.path)) _exit(4);
    Die();
  }));
}

// As many descriptors as there may be, then one more, and so on, until it succeeds.
TEST(Opening, WithoutDescriptorsLeavesNoArena) {
  if (kUndefinedBehaviorSanitizer) GTEST_SKIP() << "the sanitizer needs descriptors itself";
  TempDir directory;
  Config config = SmallConfig(directory.File("log"), 1);
  config.crash_safe = engine::CrashSafe::kFile;
  EXPECT_TRUE(LiveAndDie([&] {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 256;
    setrlimit(RLIMIT_NOFILE, &limit);
    std::vector<int> taken;
    for (int fd = 0; (fd = open("/dev/null", O_RDONLY)) >= 0;) taken.push_back(fd);
    for (bool is_open = false; !is_open && !taken.empty(); taken.pop_back()) {
      close(taken.back());
      try {
        is_open = Log::Open(config)->Close().ok();
      } catch (const engine::Error& error) {
        if (error.error_number() != EMFILE) _exit(1);
      }
      if (Exists(engine::FileArenaPath(config.path))) _exit(2);
    }
    if (taken.empty()) _exit(3);
    Die();
  }));
}

TEST(Opening, WithoutSuccessLeavesNoFile) {
  TempDir directory;
  Config config = SmallConfig(directory.File("log"), 1);
  config.crash_safe = engine::CrashSafe::kFile;
  ASSERT_EQ(mkdir(engine::FileArenaPath(config.path).c_str(), 0700), 0);
  EXPECT_THROW(Log::Open(config), engine::Error);
  EXPECT_FALSE(Exists(config.path));
  std::ofstream(config.path).flush();
  EXPECT_THROW(Log::Open(config), engine::Error);
  EXPECT_TRUE(Exists(config.path)) << "it was there before";
  EXPECT_TRUE(Exists(engine::FileArenaPath(config.path)));
}

TEST(Opening, WithoutSuccessLeavesWhatWasThere) {
  TempDir directory;
  Config config = SmallConfig(directory.File("log"), 1);
  config.crash_safe = engine::CrashSafe::kFile;
  ASSERT_EQ(mkdir(engine::FileArenaPath(config.path).c_str(), 0700), 0);
  const std::string target = directory.File("target");
  ASSERT_EQ(symlink(target.c_str(), config.path.c_str()), 0);
  EXPECT_THROW(Log::Open(config), engine::Error);
  char link[256] = {};
  EXPECT_GT(readlink(config.path.c_str(), link, sizeof link - 1), 0) << "the link is the user's";
  EXPECT_FALSE(Exists(target)) << "the file is ours";
  EXPECT_EQ(engine::RecoverLog(config.path, config.io, false).size(), 1u) << "the directory";
  EXPECT_FALSE(Exists(target)) << "nothing was recovered into it";
  EXPECT_GT(readlink(config.path.c_str(), link, sizeof link - 1), 0);
}

// What somebody may have put where an arena is looked for.
class Planted : public testing::Test {
 protected:
  Planted() : config_(SmallConfig(directory_.File("log"), 1)) {
    config_.crash_safe = engine::CrashSafe::kFile;
    const auto log = Log::Open(config_);
    EXPECT_TRUE(log->Attach()->Append("ours", 4));
    arena_ = log->arena().path();
    EXPECT_TRUE(log->Close().ok());
    before_ = ReadFile(config_.path);
  }

  // An arena that looks as if a killed process had left an entry in it.
  void LeaveArena() {
    EXPECT_TRUE(LiveAndDie([&] {
      const auto log = Log::Open(config_);
      log->Attach()->Append("forged", 6);
      Die();
    }));
  }

  void ExpectLeftAlone() {
    const auto reports = engine::RecoverLog(config_.path, config_.io, false);
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].set_aside, arena_) << reports[0].reason;
    EXPECT_EQ(ReadFile(config_.path), before_);
    try {
      Log::Open(config_);
      FAIL() << "there is no place for its arena";
    } catch (const engine::Error& error) {
      EXPECT_EQ(error.code(), "ERR_SHARDLOG_ARENA_OWNER") << error.what();
    }
    EXPECT_EQ(ReadFile(config_.path), before_);
    struct stat st;
    EXPECT_EQ(lstat(arena_.c_str(), &st), 0) << "it is still there";
    // Elsewhere it goes on.
    Config elsewhere = config_;
    elsewhere.arena_dir = directory_.File("arenas");
    mkdir(elsewhere.arena_dir.c_str(), 0700);
    EXPECT_TRUE(Log::Open(elsewhere)->Close().ok());
    EXPECT_EQ(ReadFile(config_.path), before_);
  }

  TempDir directory_;
  Config config_;
  std::string arena_;
  std::string before_;
};

TEST_F(Planted, AFifoIsLeftAlone) {
  ASSERT_EQ(mkfifo(arena_.c_str(), 0600), 0);
  ExpectLeftAlone();
}

TEST_F(Planted, ADirectoryIsLeftAlone) {
  ASSERT_EQ(mkdir(arena_.c_str(), 0700), 0);
  ExpectLeftAlone();
}

TEST_F(Planted, ASymbolicLinkIsLeftAloneAndNotFollowed) {
  LeaveArena();
  const std::string elsewhere = directory_.File("elsewhere");
  ASSERT_EQ(rename(arena_.c_str(), elsewhere.c_str()), 0);
  ASSERT_EQ(symlink(elsewhere.c_str(), arena_.c_str()), 0);
  ExpectLeftAlone();
}

TEST_F(Planted, ADanglingSymbolicLinkIsLeftAlone) {
  ASSERT_EQ(symlink("nowhere", arena_.c_str()), 0);
  ExpectLeftAlone();
}

TEST_F(Planted, AHardLinkIsLeftAlone) {
  LeaveArena();
  ASSERT_EQ(link(arena_.c_str(), directory_.File("elsewhere").c_str()), 0);
  ExpectLeftAlone();
}

TEST_F(Planted, WhatOthersMayWriteIsLeftAlone) {
  LeaveArena();
  for (const mode_t mode : {0666, 0660, 0602}) {
    ASSERT_EQ(chmod(arena_.c_str(), mode), 0);
    ExpectLeftAlone();
  }
}

TEST_F(Planted, WhatBelongsToAnotherUserIsLeftAlone) {
  if (geteuid() != 0) return;  // only root can give files away
  LeaveArena();
  ASSERT_EQ(chown(arena_.c_str(), kSomebodyElse, kSomebodyElse), 0);
  ExpectLeftAlone();
}

TEST_F(Planted, WhatRootLeftOfAUsersLogIsNotInTheUsersWay) {
  if (geteuid() != 0) return;  // only root can become somebody else
  ASSERT_EQ(chown(config_.path.c_str(), kSomebodyElse, kSomebodyElse), 0);
  ASSERT_EQ(chown(directory_.path().c_str(), kSomebodyElse, kSomebodyElse), 0);
  LeaveArena();
  SharedCounters counters;
  EXPECT_TRUE(LiveAndDie([&] {
    if (seteuid(kSomebodyElse) != 0) return;
    const auto log = Log::Open(config_);
    log->Attach()->Append("user's", 6);
    counters[0] = log->Close().ok() ? 1 : 2;
  }));
  EXPECT_EQ(counters[0], 1u);
  const auto reports = engine::RecoverLog(config_.path, config_.io, true);
  ASSERT_EQ(reports.size(), 1u) << "what root left is root's to recover";
  EXPECT_EQ(ReadPlainLog(config_.path).Entries(),
            (std::vector<std::string>{"ours", "user's", "forged"}));
}

// The flags that the kernel keeps for the mapping which `at` lies in: "dc" is one that children do
// not get.
std::string MappingFlags(const void* at) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool here = false;
  while (std::getline(maps, line)) {
    uintptr_t start = 0;
    uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2) {
      here = start <= reinterpret_cast<uintptr_t>(at) && reinterpret_cast<uintptr_t>(at) < end;
    }
    if (here && line.rfind("VmFlags:", 0) == 0) return line + " ";
  }
  return "";
}

// Pages of the shards that are in memory.
size_t TouchedPages(const engine::Arena& arena) {
  const uint64_t bytes = arena.geometry().shard_bytes();
  std::vector<uint8_t> pages(bytes / engine::kPageBytes);
  size_t touched = 0;
  for (uint32_t shard = 0; shard < 2 * arena.geometry().num_shards; shard++) {
    const uint32_t set = shard / arena.geometry().num_shards;
    uint8_t* data = arena.shard_data(set, shard % arena.geometry().num_shards);
    EXPECT_EQ(mincore(data, bytes, pages.data()), 0);
    for (const uint8_t page : pages) touched += page & 1;
  }
  return touched;
}

TEST(ArenaPages, AreTouchedAheadOfTheProducerAndNoFurther) {
  TempDir directory;
  Config config = SmallConfig(directory.File("log"), 4);
  config.buffer_bytes = 32u << 20;
  config.crash_safe = engine::CrashSafe::kFile;
  const auto log = Log::Open(config);
  EXPECT_EQ(TouchedPages(log->arena()), 0u) << "opening touches none";
  const auto producer = log->Attach();
  ASSERT_TRUE(producer->Append("entry", 5));
  EXPECT_TRUE(log->Flush().ok());  // the flusher has been there
  const size_t after_one = TouchedPages(log->arena());
  EXPECT_GE(after_one, (512u << 10) / engine::kPageBytes);
  EXPECT_LE(after_one, (2u << 20) / engine::kPageBytes);
  const std::string entry(1000, 'e');
  for (int i = 0; i < 3000; i++) ASSERT_TRUE(producer->Append(entry.data(), entry.size()));
  EXPECT_TRUE(log->Flush().ok());
  EXPECT_GT(TouchedPages(log->arena()), after_one);
  log->Detach(producer);
  EXPECT_TRUE(log->Close().ok());
}

class PlainMemory : public testing::TestWithParam<bool> {};

TEST_P(PlainMemory, IsKeptFromChildrenWhoseCallsAreDropped) {
  TempDir directory;
  Config config = SmallConfig(directory.File("log"), 2);
  config.use_mmap = GetParam();
  const auto log = engine::Join(config);
  const auto producer = log->Attach();
  ASSERT_TRUE(producer->Append("parent", 6));
  for (uint32_t shard = 0; shard < 2; shard++) {
    for (uint32_t set = 0; set < 2; set++) {
      EXPECT_NE(MappingFlags(log->arena().shard_data(set, shard)).find(" dc "), std::string::npos);
    }
  }
  EXPECT_EQ(MappingFlags(log->arena().control()).find(" dc "), std::string::npos);
  SharedCounters counters;
  EXPECT_TRUE(LiveAndDie([&] {
    counters[0] = producer->Append("child", 5) ? 2 : 1;
    counters[1] = static_cast<uint32_t>(log->Stats().total_logs + log->Shards().size());
    log->Detach(producer);
  })) << "the child crashed";
  EXPECT_EQ(counters[0], 1u);
  EXPECT_GE(counters[1], 3u);
  EXPECT_TRUE(producer->Append("parent", 6));
  EXPECT_TRUE(engine::Leave(log).ok());
  EXPECT_EQ(ReadPlainLog(config.path).Entries(), (std::vector<std::string>{"parent", "parent"}));
}

INSTANTIATE_TEST_SUITE_P(OneMapping, PlainMemory, testing::Bool());

}  // namespace
}  // namespace shardlog::test
