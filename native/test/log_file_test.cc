// The log's file over its life.
#include "engine/log_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "engine/error.h"
#include "platform/lock_holder.h"
#include "support/faulty_files.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::LogFile;

constexpr uint64_t kMiB = 1u << 20;

class OneLogFile : public testing::Test {
 protected:
  std::string path() const { return directory_.File("log"); }

  TempDir directory_;
  FaultyFiles files_;
};

// Reserved ahead of a write of a sector, with sets of `set_bytes` and so much space left.
struct Reserve {
  uint64_t free_space;
  uint64_t set_bytes;
  uint64_t reserved;
};

class ReserveAhead : public OneLogFile, public testing::WithParamInterface<Reserve> {};

TEST_P(ReserveAhead, TakesAFewSetsAndASmallShareOfTheSpaceAtMost) {
  files_.SetFreeSpace(GetParam().free_space);
  LogFile file(&files_, path(), SmallConfig("", 1).io);
  file.Prepare();
  file.ReserveAhead(512, GetParam().set_bytes);
  EXPECT_EQ(files_.last_allocated(), GetParam().reserved);
}

INSTANTIATE_TEST_SUITE_P(Of, ReserveAhead,
                         testing::Values(Reserve{uint64_t{1} << 40, 32 * kMiB, 64 * kMiB},
                                         Reserve{uint64_t{1} << 40, kMiB / 16, kMiB / 4},
                                         Reserve{640 * kMiB, 32 * kMiB, 10 * kMiB},
                                         Reserve{20000, 32 * kMiB, 512},
                                         Reserve{0, 32 * kMiB, 512}));

TEST_F(OneLogFile, ReservesAnewOnlyWhenWhatWasReservedIsUsedUp) {
  files_.SetFreeSpace(uint64_t{1} << 40);
  LogFile file(&files_, path(), SmallConfig("", 1).io);
  file.Prepare();
  for (int i = 0; i < 9; i++) {
    file.ReserveAhead(kMiB, kMiB);
    file.Advance(kMiB);
  }
  EXPECT_EQ(files_.count(Call::kAllocate), 3);
}

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

// --- the name of a new file ---

class NewName : public OneLogFile {
 protected:
  NewName() { options_.dsync = true; }

  io::OpenOptions options_ = SmallConfig("", 1).io;
};

TEST_F(NewName, IsMadeDurableOnce) {
  LogFile(&files_, path(), options_).Prepare();
  EXPECT_EQ(files_.count(Call::kSyncDirectory), 1);
  WriteFile(path(), "something");
  LogFile(&files_, path(), options_).Prepare();
  EXPECT_EQ(files_.count(Call::kSyncDirectory), 1) << "the file was there";
}

TEST_F(NewName, IsMadeDurableAlsoWhenTheFileIsMadeAnew) {
  LogFile file(&files_, path(), options_);
  file.Prepare();
  unlink(path().c_str());
  bool reopened = false;
  EXPECT_TRUE(file.Check(&reopened).ok());
  EXPECT_TRUE(reopened);
  EXPECT_EQ(files_.count(Call::kSyncDirectory), 2);
}

TEST_F(NewName, IsOfNoInterestWithoutDsync) {
  options_.dsync = false;
  LogFile(&files_, path(), options_).Prepare();
  EXPECT_EQ(files_.count(Call::kSyncDirectory), 0);
}

TEST_F(NewName, ThatCannotBeMadeDurableIsLoggedTo) {
  for (const int error : {EINVAL, EACCES}) {
    files_.Fail(Call::kSyncDirectory, error);
    EXPECT_NO_THROW(LogFile(&files_, path(), options_).Prepare());
  }
}

TEST_F(NewName, WhoseDirectoryFailsIsAnError) {
  files_.Fail(Call::kSyncDirectory, EIO);
  EXPECT_THROW(LogFile(&files_, path(), options_), engine::Error);
  LogFile file(&files_, path(), options_);
  file.Prepare();
  unlink(path().c_str());
  files_.Fail(Call::kSyncDirectory, EIO);
  bool reopened = false;
  EXPECT_EQ(file.Check(&reopened).error, EIO) << "the flush is tried again";
  EXPECT_TRUE(file.Check(&reopened).ok());
}

TEST_F(NewName, BehindASymbolicLinkIsTheTargets) {
  ASSERT_EQ(symlink(path().c_str(), directory_.File("link").c_str()), 0);
  EXPECT_NO_THROW(LogFile(&files_, directory_.File("link"), options_).Prepare());
  EXPECT_EQ(io::PosixFileSystem().SyncDirectory(directory_.File("link")), 0);
  EXPECT_EQ(io::PosixFileSystem().SyncDirectory(directory_.File("nothing")), -ENOENT);
}

class TextFile : public OneLogFile {
 protected:
  // As a flush does it, with somebody cutting the file to `cut` in the middle.
  void WriteLines(LogFile* file, const std::string& lines, int64_t cut) {
    file->BeginLines();
    if (cut >= 0) ASSERT_EQ(::truncate(path().c_str(), cut), 0);
    const auto size = static_cast<ssize_t>(lines.size());
    ASSERT_EQ(file->file()->WriteBuffered(lines.data(), lines.size(), file->end()), size);
  }

  static std::string Lines(size_t count) {
    std::string lines;
    for (size_t i = 0; i < count; i++) lines += "{\"msg\":\"" + std::to_string(i) + "\"}\n";
    return lines;
  }
};

TEST_F(TextFile, AWriteDuringWhichSomebodyCutTheFileIsUndoneWithTheZeroesBeforeIt) {
  const std::string lines = Lines(50'000);
  for (const size_t cut : {size_t{0}, Lines(1).size(), Lines(4'000).size()}) {
    LogFile file(&files_, path(), SmallConfig("", 1).io, engine::Form::kText);
    ASSERT_EQ(::truncate(path().c_str(), 0), 0);
    file.Prepare();
    WriteLines(&file, lines, -1);
    EXPECT_FALSE(file.UndoIfCut());
    file.Advance(lines.size());
    WriteLines(&file, Lines(9), static_cast<int64_t>(cut));
    EXPECT_TRUE(file.UndoIfCut());
    EXPECT_EQ(file.end(), cut);
    WriteLines(&file, Lines(9), -1);
    EXPECT_FALSE(file.UndoIfCut());
    EXPECT_EQ(ReadFile(path()), lines.substr(0, cut) + Lines(9));
  }
}

TEST_F(TextFile, AFileThatIsCutWithinALineIsEndedFirst) {
  LogFile file(&files_, path(), SmallConfig("", 1).io, engine::Form::kText);
  file.Prepare();
  WriteLines(&file, Lines(50'000), -1);
  file.Advance(Lines(50'000).size());
  WriteLines(&file, Lines(9), 7);
  EXPECT_TRUE(file.UndoIfCut());
  WriteLines(&file, Lines(2), -1);
  EXPECT_EQ(ReadFile(path()), Lines(1).substr(0, 7) + "\n" + Lines(2));
}

}  // namespace
}  // namespace shardlog::test
