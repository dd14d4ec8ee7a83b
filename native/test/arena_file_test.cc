// The file of an arena while it is made: nobody else's, and nobody else gets at it.
#include "engine/arena_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "engine/error.h"
#include "support/child.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

class NewFile : public testing::Test {
 protected:
  static constexpr uint64_t kBytes = 1 << 20;
  TempDir directory_;
  std::string path_ = directory_.File("arena");
};

TEST_F(NewFile, IsForItsUserAloneAndForNoOtherProgram) {
  const mode_t mask = umask(0);
  engine::NewArenaFile file(path_, kBytes, {});
  const engine::ArenaFd published(file.Publish());
  umask(mask);
  for (const int fd : {file.fd(), published.get()}) {
    struct stat st;
    ASSERT_EQ(fstat(fd, &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0600u);
    EXPECT_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC) << "survives an exec";
  }
}

TEST_F(NewFile, HasItsSpaceBeforeItIsUsed) {
  const engine::NewArenaFile file(path_, kBytes, {});
  struct stat st;
  ASSERT_EQ(fstat(file.fd(), &st), 0);
  EXPECT_GE(static_cast<uint64_t>(st.st_blocks) * 512, kBytes);
}

// Between the look at a name and the opening of it, somebody puts a link there.
TEST_F(NewFile, IsNotOpenedThroughALinkThatCameJustNow) {
  const std::string other = directory_.File("other");
  const std::string target = directory_.File("target");
  { std::ofstream(path_) << "arena"; }
  { std::ofstream(target) << "another's"; }
  ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
  ASSERT_EQ(chmod(target.c_str(), 0600), 0);
  ASSERT_EQ(symlink(target.c_str(), other.c_str()), 0);
  std::atomic<bool> over{false};
  std::thread attacker([&] {
    while (!over) {
      syscall(SYS_renameat2, AT_FDCWD, path_.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
    }
  });
  int followed = 0;
  for (int i = 0; i < 20'000; i++) {
    try {
      struct stat st;
      const engine::ArenaFd fd(engine::OpenArenaFile(path_, {}, &st));
      if (fd.get() >= 0 && engine::IsNamed(target, fd.get())) followed++;
    } catch (const engine::Error&) {
      // It saw the link.
    }
  }
  over = true;
  attacker.join();
  EXPECT_EQ(followed, 0);
}

// Where files have no way to be nameless, one that cannot be removed is not taken for ours.
TEST_F(NewFile, IsNotWhatLiesThereAlready) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: chroot, and a file that cannot be removed";
  const std::string temporary = directory_.File("arena.new");
  { std::ofstream(temporary) << "another's"; }
  ASSERT_EQ(chmod(temporary.c_str(), 0600), 0);
  const engine::ArenaFd theirs(open(temporary.c_str(), O_RDONLY));
  int flags = 0;
  ASSERT_EQ(ioctl(theirs.get(), FS_IOC_GETFLAGS, &flags), 0);
  const int immutable = flags | FS_IMMUTABLE_FL;
  ASSERT_EQ(ioctl(theirs.get(), FS_IOC_SETFLAGS, &immutable), 0);
  SharedCounters refused;
  LiveAndDie([&] {
    // Without /proc.
    if (chroot(directory_.File("").c_str()) != 0 || chdir("/") != 0) return;
    try {
      const engine::NewArenaFile file("/arena", kBytes, {});
    } catch (const engine::Error& error) {
      refused[0] = static_cast<uint32_t>(error.error_number());
    }
  });
  ASSERT_EQ(ioctl(theirs.get(), FS_IOC_SETFLAGS, &flags), 0);
  EXPECT_EQ(refused[0], static_cast<uint32_t>(EEXIST));
  EXPECT_EQ(ReadFile(temporary), "another's");
}

TEST_F(NewFile, MakesNoWayForWhatARunningProcessUses) {
  {
    engine::NewArenaFile file(path_, kBytes, {});
    const engine::ArenaFd published(file.Publish());
    try {
      engine::MakeWay(path_, {});
      ADD_FAILURE() << "it was put aside";
    } catch (const engine::Error& error) {
      EXPECT_EQ(error.code(), "ERR_SHARDLOG_LOCKED");
    }
    EXPECT_TRUE(engine::IsNamed(path_, published.get()));
  }
  engine::MakeWay(path_, {});
  EXPECT_NE(access(path_.c_str(), F_OK), 0) << "what a dead one has left goes";
}

}  // namespace
}  // namespace shardlog::test
