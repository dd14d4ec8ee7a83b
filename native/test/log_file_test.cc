// The log's file over its life.
#include "sink/log_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "engine/error.h"
#include "platform/lock_holder.h"
#include "support/faulty_files.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::LogFile;
using engine::LogTail;

class OneLogFile : public testing::Test {
 protected:
  std::string path() const { return directory_.File("log"); }

  TempDir directory_;
  FaultyFiles files_;
};

TEST_F(OneLogFile, ThatIsLockedSaysByWhom) {
  const LogFile file(&files_, path(), SmallConfig("", 1).io);
  try {
    LogFile(&files_, path(), SmallConfig("", 1).io);
    FAIL() << "locked twice";
  } catch (const engine::Error& error) {
    EXPECT_NE(std::string(error.what()).find("pid " + std::to_string(getpid())), std::string::npos)
        << error.what();
  }
  const io::FileInfo& info = file.info();
  EXPECT_EQ(platform::FlockHolder(info.device, info.inode), static_cast<uint32_t>(getpid()));
  EXPECT_EQ(platform::FlockHolder(info.device + 1, info.inode), 0u) << "another file system's";
}

// The flags of every descriptor that this process has of a file, as the kernel tells them.
std::vector<unsigned long> FlagsOfDescriptors(const std::string& path) {
  std::vector<unsigned long> found;
  for (int fd = 3; fd < 256; fd++) {
    char target[4096];
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t size = readlink(link.c_str(), target, sizeof target);
    if (size < 0 || std::string(target, static_cast<size_t>(size)) != path) continue;
    std::ifstream info("/proc/self/fdinfo/" + std::to_string(fd));
    std::string word;
    while (info >> word && word != "flags:") {
    }
    info >> word;
    found.push_back(std::stoul(word, nullptr, 8));
  }
  return found;
}

TEST_F(OneLogFile, IsOpenForDurableAppendsThatNoOtherProgramInherits) {
  io::OpenOptions options;
  options.dsync = true;
  const LogFile file(&files_, path(), options);
  const std::vector<unsigned long> flags = FlagsOfDescriptors(path());
  ASSERT_FALSE(flags.empty());
  EXPECT_EQ(flags.size(), file.direct() ? 2u : 1u);
  for (const unsigned long of_one : flags) {
    EXPECT_NE(of_one & O_DSYNC, 0u);
    EXPECT_NE(of_one & O_APPEND, 0u);
    EXPECT_NE(of_one & O_CLOEXEC, 0u);
  }
}

TEST_F(OneLogFile, IsLockedAlsoWhenItWasMadeAnew) {
  LogFile file(&files_, path(), SmallConfig("", 1).io);
  file.Prepare();
  unlink(path().c_str());
  LogFile::Change change;
  ASSERT_TRUE(file.Check(false, &change).ok());
  ASSERT_TRUE(change.reopened);
  EXPECT_THROW(LogFile(&files_, path(), SmallConfig("", 1).io), engine::Error);
}

// --- the name of a new file ---

class NewName : public OneLogFile {
 protected:
  NewName() { options_.dsync = true; }

  io::OpenOptions options_ = SmallConfig("", 1).io;
};

TEST_F(NewName, IsMadeDurableOnceBeforeTheFirstFlush) {
  LogFile file(&files_, path(), options_);
  file.Prepare();
  EXPECT_EQ(files_.count(Call::kSyncDirectory), 0) << "opening does not wait for the device";
  LogFile::Change change;
  for (int flush = 0; flush < 3; flush++) EXPECT_TRUE(file.Check(false, &change).ok());
  EXPECT_EQ(files_.count(Call::kSyncDirectory), 1);
  file.Close();
  WriteFile(path(), "something");
  LogFile again(&files_, path(), options_);
  again.Prepare();
  EXPECT_TRUE(again.Check(false, &change).ok());
  EXPECT_EQ(files_.count(Call::kSyncDirectory), 1) << "the file was there";
}

TEST_F(NewName, IsMadeDurableAlsoWhenTheFileIsMadeAnew) {
  LogFile file(&files_, path(), options_);
  file.Prepare();
  LogFile::Change change;
  EXPECT_TRUE(file.Check(false, &change).ok());
  unlink(path().c_str());
  EXPECT_TRUE(file.Check(false, &change).ok());
  EXPECT_TRUE(change.reopened);
  EXPECT_EQ(files_.count(Call::kSyncDirectory), 2);
}

TEST_F(NewName, IsOfNoInterestWithoutDsync) {
  options_.dsync = false;
  LogFile file(&files_, path(), options_);
  file.Prepare();
  LogFile::Change change;
  EXPECT_TRUE(file.Check(false, &change).ok());
  EXPECT_EQ(files_.count(Call::kSyncDirectory), 0);
}

TEST_F(NewName, ThatCannotBeMadeDurableIsLoggedTo) {
  for (const int error : {EINVAL, EACCES}) {
    files_.Fail(Call::kSyncDirectory, error);
    LogFile file(&files_, path(), options_);
    file.Prepare();
    LogFile::Change change;
    EXPECT_TRUE(file.Check(false, &change).ok());
  }
}

TEST_F(NewName, WhoseDirectoryFailsIsAFailureOfTheFlush) {
  LogFile file(&files_, path(), options_);
  file.Prepare();
  files_.Fail(Call::kSyncDirectory, EIO);
  LogFile::Change change;
  EXPECT_EQ(file.Check(false, &change).error, EIO) << "the flush is tried again";
  EXPECT_TRUE(file.Check(false, &change).ok());
}

TEST_F(NewName, BehindASymbolicLinkIsTheTargets) {
  ASSERT_EQ(symlink(path().c_str(), directory_.File("link").c_str()), 0);
  EXPECT_NO_THROW(LogFile(&files_, directory_.File("link"), options_).Prepare());
  EXPECT_EQ(io::PosixFileSystem().SyncDirectory(directory_.File("link")), 0);
  EXPECT_EQ(io::PosixFileSystem().SyncDirectory(directory_.File("nothing")), -ENOENT);
}

// --- appending ---

class Appending : public OneLogFile {
 protected:
  Appending() { file_.Prepare(); }

  ssize_t Append(std::string bytes, bool* moved) {
    const iovec part{bytes.data(), bytes.size()};
    return file_.Append(&part, 1, LogFile::Through::kCache, moved);
  }
  void OthersAppend(const std::string& bytes) {
    std::ofstream(path(), std::ios::app | std::ios::binary) << bytes;
  }
  LogTail::Proof Proof() {
    LogTail::Proof proof;
    EXPECT_TRUE(file_.Proof(0, &proof).ok());
    return proof;
  }
  bool Holds(uint64_t end, const LogTail::Proof& proof) {
    return LogTail::Holds(file_.file(), end, proof);
  }

  LogFile file_{&files_, path(), SmallConfig("", 1).io, engine::Format::kNdjson};
};

TEST_F(Appending, TellsWhetherSomebodyElseHasAppendedBefore) {
  bool moved = true;
  EXPECT_EQ(Append("one\n", &moved), 4);
  EXPECT_FALSE(moved);
  OthersAppend("foreign\n");
  EXPECT_EQ(Append("two\n", &moved), 4);
  EXPECT_TRUE(moved);
  EXPECT_EQ(file_.end(), 16u);
  EXPECT_EQ(ReadFile(path()), "one\nforeign\ntwo\n");
}

TEST_F(Appending, WhatProvesTheLogIsThatOfItsLastBytesWhoeverWroteThem) {
  bool moved = false;
  EXPECT_EQ(Proof().bytes, 0u);
  for (const size_t size : {1, 100, 4000, 4096, 5000, 20, 9000, 3}) {
    Append(std::string(size, 'a') + "\n", &moved);
    const LogTail::Proof before = Proof();
    EXPECT_EQ(before.bytes, std::min<uint64_t>(file_.end(), 4096));
    EXPECT_TRUE(Holds(file_.end(), before));
    const uint64_t end = file_.end();
    OthersAppend("foreign " + std::to_string(size) + "\n");
    EXPECT_TRUE(Holds(end, before)) << "what comes behind does not matter";
    Append("b\n", &moved);
    EXPECT_TRUE(moved);
    EXPECT_TRUE(Holds(file_.end(), Proof()));
    EXPECT_FALSE(Holds(file_.end(), before));
    EXPECT_FALSE(Holds(file_.end() + 1, Proof()));
  }
}

TEST_F(Appending, WhatAFailedCallLeftInThePageCacheIsWrittenOver) {
  io::OpenOptions options = SmallConfig("", 1).io;
  options.dsync = true;
  LogFile file(&files_, directory_.File("synced"), options, engine::Format::kNdjson);
  file.Prepare();
  files_.LeaveFailed(true);
  std::string lines = "one\ntwo\n";
  const iovec parts[] = {{lines.data(), 4}, {lines.data() + 4, 4}};
  bool moved = false;
  for (int failure = 0; failure < 3; failure++) {
    files_.Fail(failure == 0 ? Call::kWrite : Call::kOverwrite, EIO);
    EXPECT_EQ(file.Append(parts, 2, LogFile::Through::kCache, &moved), -EIO);
    EXPECT_EQ(file.end(), 0u);
    LogFile::Change change;
    EXPECT_TRUE(file.Check(false, &change).ok());
    EXPECT_FALSE(change.moved);
  }
  EXPECT_EQ(file.Append(parts, 2, LogFile::Through::kCache, &moved), 4);
  EXPECT_EQ(file.Append(parts + 1, 1, LogFile::Through::kCache, &moved), 4);
  EXPECT_FALSE(moved);
  EXPECT_EQ(file.Append(parts, 1, LogFile::Through::kCache, &moved), 4);
  EXPECT_EQ(ReadFile(directory_.File("synced")), "one\ntwo\none\n");
}

TEST_F(Appending, ATextThatOthersCutWithinALineIsEndedFirst) {
  bool moved = false;
  Append("one\ntwo\n", &moved);
  ASSERT_EQ(::truncate(path().c_str(), 6), 0);
  LogFile::Change change;
  ASSERT_TRUE(file_.Check(false, &change).ok());
  EXPECT_TRUE(change.moved);
  Append("three\n", &moved);
  EXPECT_FALSE(moved);
  EXPECT_EQ(ReadFile(path()), "one\ntw\nthree\n");
}

TEST_F(Appending, AFileThatWasRenamedStaysOpenWhileItEndsInTheMiddleOfAUnit) {
  bool moved = false;
  Append("one\ntw", &moved);
  std::rename(path().c_str(), directory_.File("log.1").c_str());
  LogFile::Change change;
  ASSERT_TRUE(file_.Check(true, &change).ok());
  EXPECT_TRUE(change.reopened);
  EXPECT_FALSE(change.deleted);
  ASSERT_TRUE(file_.HasOld());
  std::string rest = "o\n";
  const iovec part{rest.data(), rest.size()};
  EXPECT_EQ(file_.AppendToOld(&part, 1), 2);
  EXPECT_EQ(ReadFile(directory_.File("log.1")), "one\ntwo\n");
  EXPECT_EQ(ReadFile(path()), "");
}

TEST_F(Appending, AFileThatWasDeletedIsNotCompleted) {
  bool moved = false;
  Append("one\ntw", &moved);
  unlink(path().c_str());
  LogFile::Change change;
  ASSERT_TRUE(file_.Check(true, &change).ok());
  EXPECT_TRUE(change.reopened);
  EXPECT_TRUE(change.deleted);
  EXPECT_FALSE(file_.HasOld());
}

TEST_F(Appending, ZeroesFillUpToTheNextUnitWhoeverElseAppends) {
  LogFile blocks(&files_, directory_.File("blocks"), SmallConfig("", 1).io);
  blocks.Prepare();
  std::ofstream(directory_.File("blocks"), std::ios::app) << "a line\n";
  ASSERT_TRUE(blocks.Align().ok());
  bool moved = false;
  ASSERT_TRUE(blocks.FindMovedEnd(&moved).ok());
  EXPECT_TRUE(moved);
  ASSERT_TRUE(blocks.Align().ok());
  EXPECT_EQ(blocks.end(), 512u);
  EXPECT_EQ(ReadFile(directory_.File("blocks")), "a line\n" + std::string(505, '\0'));
}

}  // namespace
}  // namespace shardlog::test
