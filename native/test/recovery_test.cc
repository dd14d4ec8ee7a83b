// What a dead process left is drained into its log: once, whole, in order, also if the draining
// dies half way (docs/reference/log-format.md, R12 to R15).
#include "log/recovery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "engine/arena.h"
#include "engine/error.h"
#include "format/crc32c.h"
#include "log/log.h"
#include "support/child.h"
#include "support/entries.h"
#include "support/faulty_files.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::Config;
using engine::Log;
using engine::RecoveryReport;

class Recovery : public testing::Test {
 protected:
  Config ArenaConfig(uint32_t shards = 1) const {
    Config config = SmallConfig(path(), shards);
    config.crash_safe = engine::CrashSafe::kFile;
    return config;
  }
  std::string path() const { return directory_.File("log"); }
  std::string arena() const { return directory_.File(".log.arena"); }

  std::vector<RecoveryReport> Recover(io::FileSystem* files = &io::PosixFileSystem(),
                                      bool force = false) {
    return engine::RecoverLog(path(), SmallConfig("", 1).io, force, files);
  }

  // One producer that logs `count` entries of mixed sizes, flushing now and then. counters_[0]:
  // accepted.
  void LogSome(Log& log, uint32_t count) {
    const auto producer = log.Attach();
    Random random(3);
    for (uint32_t i = 0; i < count; i++) {
      const size_t size = i % 23 == 7 ? random.Between(5000, 15000) : random.Between(20, 900);
      const std::string entry = MakeEntry(0, i, size);
      while (!producer->Append(entry.data(), entry.size())) std::this_thread::yield();
      counters_[0] = i + 1;
      if (i % 17 == 5) log.Flush();
    }
  }

  // Every entry whose acceptance was told, and at most one more, which was accepted but not told.
  void ExpectEverything() {
    const PlainLog log = ReadPlainLog(path());
    EXPECT_EQ(log.complaints, std::vector<std::string>{});
    EntryCheck check = CheckEntries(log.Entries());
    EXPECT_EQ(check.complaints, std::vector<std::string>{});
    EXPECT_GE(check.count[0], counters_[0]);
    EXPECT_LE(check.count[0], counters_[0] + 1);
  }

  TempDir directory_;
  SharedCounters counters_;
};

TEST_F(Recovery, WithoutAnArenaThereIsNothingToDo) {
  WriteFile(path(), "");
  EXPECT_TRUE(Recover().empty());
}

TEST_F(Recovery, DrainsWhatWasNeverFlushed) {
  ASSERT_TRUE(LiveAndDie([&] {
    const auto log = Log::Open(ArenaConfig(2));
    const auto producer = log->Attach();
    for (uint32_t i = 0; i < 100; i++) {
      const std::string entry = MakeEntry(0, i, 50);
      producer->Append(entry.data(), entry.size());
      counters_[0] = i + 1;
    }
    Die();
  }));
  ASSERT_TRUE(Exists(arena()));
  const std::vector<RecoveryReport> reports = Recover();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].entries, 100u);
  ExpectEverything();
  EXPECT_EQ(ReadPlainLog(path()).blocks[0].trailer.flags & 2, 2) << "RECOVERED";
  EXPECT_FALSE(Exists(arena()));
  EXPECT_TRUE(Recover().empty()) << "a second recovery finds nothing";
  ExpectEverything();
}

TEST_F(Recovery, HappensAtTheNextOpening) {
  ASSERT_TRUE(LiveAndDie([&] {
    const auto log = Log::Open(ArenaConfig());
    LogSome(*log, 50);
    Die();
  }));
  const auto log = Log::Open(ArenaConfig());
  EXPECT_GT(log->Stats().recovered_logs, 0u);
  EXPECT_TRUE(log->Close().ok());
  ExpectEverything();
}

// The process dies at its nth write, having written some bytes of it; then recovery dies at its
// first change of the file, at its second, and so on, each time having written some bytes.
class KilledAtEveryStep : public Recovery, public testing::WithParamInterface<size_t> {};

TEST_P(KilledAtEveryStep, NothingIsLostOrRepeated) {
  const size_t written = GetParam();
  for (int death = 0; death < 9; death += 2) {
    SCOPED_TRACE(death);
    std::remove(path().c_str());
    counters_[0] = 0;
    ASSERT_TRUE(LiveAndDie([&] {
      FaultyFiles files;
      files.At(death, written, Die);
      const auto log = Log::Open(ArenaConfig(), &files);
      LogSome(*log, 150);
      Die();
    }));
    for (int death_of_recovery = 0; death_of_recovery < 40; death_of_recovery++) {
      FaultyFiles files;
      files.At(death_of_recovery, written, [] { throw Killed{}; });
      try {
        Recover(&files);
        break;
      } catch (const Killed&) {
        ASSERT_TRUE(Exists(arena())) << "an unfinished recovery keeps the arena";
      }
    }
    EXPECT_FALSE(Exists(arena()));
    ExpectEverything();
  }
}

INSTANTIATE_TEST_SUITE_P(BytesOfTheLastWrite, KilledAtEveryStep,
                         testing::Values(0, 1, 512, 700, 4096, 12000));

// Somebody else appends behind a half-written generation: those bytes stay, and our blocks come
// once.
TEST_F(Recovery, LeavesWhatOthersAppendedAlone) {
  for (int death = 0; death < 6; death++) {
    SCOPED_TRACE(death);
    std::remove(path().c_str());
    counters_[0] = 0;
    ASSERT_TRUE(LiveAndDie([&] {
      FaultyFiles files;
      files.At(death, 12000, Die);
      const auto log = Log::Open(ArenaConfig(), &files);
      LogSome(*log, 150);
      Die();
    }));
    std::string foreign;
    for (int i = 0; i < 3000; i++)
      foreign += "a line of another program " + std::to_string(i) + "\n";
    std::ofstream(path(), std::ios::app | std::ios::binary) << foreign;
    for (int death_of_recovery = 0; death_of_recovery < 40; death_of_recovery++) {
      FaultyFiles files;
      files.At(death_of_recovery, 9000, [] { throw Killed{}; });
      try {
        Recover(&files);
        break;
      } catch (const Killed&) {
      }
    }
    EXPECT_NE(ReadFile(path()).find(foreign), std::string::npos);
    EntryCheck check = CheckEntries(ReadPlainLog(path()).Entries());
    EXPECT_EQ(check.complaints, std::vector<std::string>{});
    EXPECT_GE(check.count[0], counters_[0]);
  }
}

// The same with a few bytes only, which come to lie within the block that the kill tore: what is
// whole of that block stays where readers may have seen it, and is not written again.
TEST_F(Recovery, LeavesWhatOthersAppendedWithinATornBlockAlone) {
  for (const size_t written : {9, 600, 700, 2500, 9000, 12000}) {
    for (int death = 0; death < 6; death++) {
      SCOPED_TRACE(std::to_string(written) + " bytes of write " + std::to_string(death));
      std::remove(path().c_str());
      counters_[0] = 0;
      ASSERT_TRUE(LiveAndDie([&] {
        FaultyFiles files;
        files.At(death, written, Die);
        const auto log = Log::Open(ArenaConfig(), &files);
        LogSome(*log, 150);
        Die();
      }));
      const std::string foreign = "NOTE OF THE OPERATOR\n";
      std::ofstream(path(), std::ios::app | std::ios::binary) << foreign;
      for (int death_of_recovery = 0; death_of_recovery < 40; death_of_recovery++) {
        FaultyFiles files;
        files.At(death_of_recovery, written, [] { throw Killed{}; });
        try {
          Recover(&files);
          break;
        } catch (const Killed&) {
        }
      }
      EXPECT_FALSE(Exists(arena()));
      EXPECT_NE(ReadFile(path()).find(foreign), std::string::npos);
      EntryCheck check = CheckEntries(ReadPlainLog(path()).Entries());
      EXPECT_EQ(check.complaints, std::vector<std::string>{});
      EXPECT_GE(check.count[0], counters_[0]);
    }
  }
}

// --- a log that is another file now ---

// Dies with a generation half written; the path then leads to `moved`'s result.
class Moved : public Recovery {
 protected:
  void DieInTheMiddle(int death, size_t written) {
    std::remove(path().c_str());
    counters_[0] = 0;
    ASSERT_TRUE(LiveAndDie([&] {
      FaultyFiles files;
      files.At(death, written, Die);
      const auto log = Log::Open(ArenaConfig(), &files);
      LogSome(*log, 150);
      Die();
    }));
  }
  void RecoverWithDeaths(size_t written) {
    for (int death = 0; death < 40; death++) {
      FaultyFiles files;
      files.At(death, written, [] { throw Killed{}; });
      try {
        Recover(&files);
        return;
      } catch (const Killed&) {
      }
    }
  }
  std::string other() const { return directory_.File("log.1"); }
  // Of both files, in their order.
  void ExpectEverythingInBoth() {
    std::vector<std::string> entries = ReadPlainLog(other()).Entries();
    for (const std::string& entry : ReadPlainLog(path()).Entries()) entries.push_back(entry);
    EntryCheck check = CheckEntries(entries);
    EXPECT_EQ(check.complaints, std::vector<std::string>{});
    EXPECT_GE(check.count[0], counters_[0]);
    EXPECT_LE(check.count[0], counters_[0] + 1);
  }
};

TEST_F(Moved, AwayByARotationHasEachEntryOnceInBothFiles) {
  for (const size_t written : {0, 9, 700, 5000, 12000}) {
    for (int death = 0; death < 9; death += 2) {
      SCOPED_TRACE(std::to_string(written) + " bytes of write " + std::to_string(death));
      DieInTheMiddle(death, written);
      std::rename(path().c_str(), other().c_str());
      RecoverWithDeaths(written);
      EXPECT_FALSE(Exists(arena()));
      ExpectEverythingInBoth();
      std::remove(other().c_str());
    }
  }
}

TEST_F(Moved, ByACopyAndACutHasEachEntryOnceInBothFiles) {
  for (const size_t written : {0, 700, 12000}) {
    for (int death = 1; death < 9; death += 2) {
      SCOPED_TRACE(std::to_string(written) + " bytes of write " + std::to_string(death));
      DieInTheMiddle(death, written);
      WriteFile(other(), ReadFile(path()));
      ASSERT_EQ(::truncate(path().c_str(), 0), 0);
      RecoverWithDeaths(written);
      ExpectEverythingInBoth();
      std::remove(other().c_str());
    }
  }
}

TEST_F(Moved, ToAnotherInodeIsStillTheLog) {
  for (const size_t written : {0, 700, 12000}) {
    for (int death = 0; death < 9; death += 2) {
      SCOPED_TRACE(std::to_string(written) + " bytes of write " + std::to_string(death));
      DieInTheMiddle(death, written);
      const std::string content = ReadFile(path());
      std::rename(path().c_str(), directory_.File("away").c_str());
      WriteFile(path(), content);
      RecoverWithDeaths(written);
      ExpectEverything();
    }
  }
}

TEST_F(Moved, ToAnotherFolderByACopyItIsStillTheLog) {
  for (const size_t written : {0, 700, 12000}) {
    for (int death = 0; death < 9; death += 2) {
      SCOPED_TRACE(std::to_string(written) + " bytes of write " + std::to_string(death));
      DieInTheMiddle(death, written);
      usleep(20'000);  // file systems tell births in ticks of some ms
      const TempDir elsewhere;
      const std::string copy = elsewhere.File("log");
      WriteFile(copy, ReadFile(path()));
      WriteFile(copy + ".arena", ReadFile(arena()));
      const auto reports =
          engine::RecoverLog(copy, SmallConfig("", 1).io, false, &io::PosixFileSystem());
      ASSERT_EQ(reports.size(), 1u);
      EXPECT_EQ(reports[0].set_aside, "");
      EntryCheck check = CheckEntries(ReadPlainLog(copy).Entries());
      EXPECT_EQ(check.complaints, std::vector<std::string>{});
      EXPECT_GE(check.count[0], counters_[0]);
      std::remove(arena().c_str());
    }
  }
}

TEST_F(Moved, AwayByARotationThatKeepsTheExtensionHasEachEntryOnceInBothFiles) {
  for (const size_t written : {700, 5000, 12000}) {
    for (int death = 0; death < 9; death += 2) {
      SCOPED_TRACE(std::to_string(written) + " bytes of write " + std::to_string(death));
      const std::string named = directory_.File("app.log");
      const std::string rotated = directory_.File("app-2026-11-29.log");
      DieInTheMiddle(death, written);
      std::rename(path().c_str(), rotated.c_str());
      std::rename(arena().c_str(), (named + ".arena").c_str());
      engine::RecoverLog(named, SmallConfig("", 1).io, false, &io::PosixFileSystem());
      std::vector<std::string> entries = ReadPlainLog(rotated).Entries();
      for (const std::string& entry : ReadPlainLog(named).Entries()) entries.push_back(entry);
      EntryCheck check = CheckEntries(entries);
      EXPECT_EQ(check.complaints, std::vector<std::string>{});
      EXPECT_GE(check.count[0], counters_[0]);
      std::remove(named.c_str());
      std::remove(rotated.c_str());
    }
  }
}

// Log and arena of a backup, the log taken later than the arena.
TEST_F(Moved, InABackupTheLogMayBeAheadOfTheArena) {
  {
    const auto log = Log::Open(ArenaConfig());
    LogSome(*log, 60);
    WriteFile(directory_.File("arena.backup"), ReadFile(arena()));
    const auto producer = log->Attach();
    ASSERT_TRUE(log->Flush().ok());
    ASSERT_TRUE(log->Close().ok());
  }
  std::rename(directory_.File("arena.backup").c_str(), arena().c_str());
  Recover();
  ExpectEverything();
}

TEST_F(Recovery, AppendsToAReplacedLog) {
  ASSERT_TRUE(LiveAndDie([&] {
    const auto log = Log::Open(ArenaConfig());
    const auto producer = log->Attach();
    producer->Append("before", 6);
    log->Flush();
    producer->Append("after", 5);
    Die();
  }));
  WriteFile(directory_.File("new"), "");
  std::rename(directory_.File("new").c_str(), path().c_str());
  Recover();
  EXPECT_EQ(ReadPlainLog(path()).Entries(), std::vector<std::string>{"after"});
}

TEST_F(Recovery, OfALogThatWasTruncatedMeanwhileAppends) {
  ASSERT_TRUE(LiveAndDie([&] {
    FaultyFiles files;
    files.At(6, 700, Die);
    const auto log = Log::Open(ArenaConfig(), &files);
    LogSome(*log, 150);
    Die();
  }));
  WriteFile(path(), "");
  Recover();
  EXPECT_EQ(ReadPlainLog(path()).complaints.size(), 1u)
      << "the sequence goes on; nothing else is wrong";
  EXPECT_FALSE(Exists(arena()));
}

// File systems give a deleted file's inode to the next one: device, inode and size say that it is
// our half-written log, the bytes say that it is not.
TEST_F(Recovery, CutsNothingOffAFileThatIsNotOursWhateverItsInode) {
  std::string block("\0\x10\0\0\x09\0\0\0\x05\0\0\0other", 17);
  block.resize(512);
  for (const std::string& foreign : {std::string(600, 'f'), std::string(3, 'f'), block}) {
    SCOPED_TRACE(foreign.size());
    std::remove(path().c_str());
    ASSERT_TRUE(LiveAndDie([&] {
      FaultyFiles files;
      files.At(0, 700, Die);
      const auto log = Log::Open(ArenaConfig(), &files);
      const auto producer = log->Attach();
      for (int i = 0; i < 3; i++) producer->Append(std::string(300, 'x').data(), 300);
      log->Flush();
    }));
    ASSERT_EQ(ReadFile(path()).size(), 700u);
    WriteFile(path(), foreign);  // the same inode, and a size that the interrupted write had, too
    EXPECT_EQ(Recover().at(0).entries, 3u);
    EXPECT_EQ(ReadFile(path()).substr(0, foreign.size()), foreign);
    EXPECT_EQ(ReadPlainLog(path()).Entries().size(), foreign == block ? 4u : 3u);
  }
}

// A kill in the middle of the recycle: some segments of a written generation are empty already.
TEST_F(Recovery, AHalfRecycledSetIsNotWrittenAgain) {
  for (uint32_t cleared = 0; cleared <= 5; cleared++) {
    SCOPED_TRACE(cleared);
    std::remove(path().c_str());
    {
      const Config config = ArenaConfig();
      engine::LogFile file(&io::PosixFileSystem(), path(), config.io);
      auto sets =
          std::make_shared<engine::BufferSets>(engine::Arena::Create(config, file.info(), 5));
      auto signals = std::make_shared<engine::Signals>();
      std::vector<std::unique_ptr<engine::Producer>> producers;
      for (uint32_t p = 0; p < 4; p++) {
        producers.push_back(std::make_unique<engine::Producer>(sets, signals, config, p + 1));
        producers.back()->Append("old", 3);
      }
      sets->TrySwap(0);
      sets->Seal(0, 0);
      sets->MarkWritten(0);
      for (uint32_t i = 0; i < std::min(cleared, 4u); i++) sets->arena().slot(0, 0, i).Recycle();
      if (cleared == 5) sets->arena().claim(0, 0).Reset(2);
      producers[0]->Append("new", 3);
    }
    Recover();
    EXPECT_EQ(ReadPlainLog(path()).Entries(), std::vector<std::string>{"new"});
  }
}

TEST_F(Recovery, FailsAndKeepsTheArenaIfTheKernelSaysNo) {
  ASSERT_TRUE(LiveAndDie([&] {
    const auto log = Log::Open(ArenaConfig());
    LogSome(*log, 60);
    Die();
  }));
  const std::pair<Call, int> faults[] = {{Call::kWrite, ENOSPC},
                                         {Call::kWrite, EROFS},
                                         {Call::kWrite, EFBIG},
                                         {Call::kStat, EIO},
                                         {Call::kWrite, EIO}};
  for (const auto& [call, error] : faults) {
    FaultyFiles files;
    files.Fail(call, error, FaultyFiles::kForEver, call == Call::kStat ? 1 : 0);
    try {
      Recover(&files);
      ADD_FAILURE() << "no error for " << error;
    } catch (const engine::Error& failure) {
      EXPECT_EQ(failure.code(), "ERR_SHARDLOG_RECOVERY");
      EXPECT_EQ(failure.error_number(), error);
    }
    EXPECT_TRUE(Exists(arena()));
  }
  Recover();
  ExpectEverything();
}

TEST_F(Recovery, OfALivingProcessIsRefused) {
  const auto log = Log::Open(ArenaConfig());
  try {
    Recover();
    FAIL() << "recovered under a living process";
  } catch (const engine::Error& error) {
    EXPECT_EQ(error.code(), "ERR_SHARDLOG_LOCKED");
  }
  EXPECT_TRUE(Exists(arena()));
  const auto producer = log->Attach();
  EXPECT_TRUE(producer->Append("alive", 5));
  EXPECT_TRUE(log->Close().ok());
}

TEST_F(Recovery, ALivingOwnersArenaIsRefusedAlsoIfItsLogWasReplaced) {
  const auto log = Log::Open(ArenaConfig());
  std::rename(path().c_str(), directory_.File("moved").c_str());
  try {
    Recover();
    FAIL() << "recovered under a living process";
  } catch (const engine::Error& error) {
    EXPECT_EQ(error.code(), "ERR_SHARDLOG_LOCKED");
  }
}

// --- arenas that cannot be trusted ---

struct Damage {
  const char* name;
  size_t offset;
  uint32_t value;
  bool fix_crc;
};

class Untrusted : public Recovery, public testing::WithParamInterface<Damage> {};

TEST_P(Untrusted, ArenaIsSetAsideAndNotDestroyed) {
  ASSERT_TRUE(LiveAndDie([&] {
    const auto log = Log::Open(ArenaConfig());
    LogSome(*log, 20);
    Die();
  }));
  std::string bytes = ReadFile(arena());
  const Damage damage = GetParam();
  bytes.replace(damage.offset, 4, reinterpret_cast<const char*>(&damage.value), 4);
  if (damage.fix_crc) {
    const uint32_t crc = format::Crc32c(bytes.data(), 56);
    bytes.replace(104, 4, reinterpret_cast<const char*>(&crc), 4);
  }
  WriteFile(arena(), bytes);
  const std::string before = ReadFile(path());
  const std::vector<RecoveryReport> reports = Recover();
  ASSERT_EQ(reports.size(), 1u);
  ASSERT_FALSE(reports[0].set_aside.empty());
  EXPECT_NE(reports[0].reason, "");
  EXPECT_FALSE(Exists(arena()));
  EXPECT_EQ(ReadFile(reports[0].set_aside), bytes);
  EXPECT_EQ(ReadFile(path()), before);
  const auto log = Log::Open(ArenaConfig());
  EXPECT_TRUE(log->Close().ok()) << "logging goes on";
}

INSTANTIATE_TEST_SUITE_P(
    Because, Untrusted,
    testing::Values(Damage{"Magic", 0, 0x12345678, false}, Damage{"Version", 8, 3, true},
                    Damage{"VersionOfADamagedHeader", 8, 7, false}, Damage{"Crc", 104, 1, false},
                    Damage{"NumShards", 12, 300, true},
                    Damage{"SegmentsPerShard", 16, 0xFFFFFFFF, true},
                    Damage{"SegmentBytes", 20, 5000, true}, Damage{"DataOffset", 24, 4096, true},
                    Damage{"TotalBytes", 32, 1 << 20, true}, Damage{"Active", 256, 1000, false},
                    Damage{"Recycled", 320, 1000, false}, Damage{"Written", 448, 1000, false},
                    Damage{"WrittenHigh", 452, 1000, false}),
    [](const testing::TestParamInfo<Damage>& info) { return info.param.name; });

TEST_F(Recovery, ATruncatedArenaIsSetAside) {
  ASSERT_TRUE(LiveAndDie([&] {
    const auto log = Log::Open(ArenaConfig());
    LogSome(*log, 20);
    Die();
  }));
  const std::string bytes = ReadFile(arena());
  for (const size_t size : {size_t{0}, size_t{100}, size_t{4096}, bytes.size() - 1}) {
    WriteFile(arena(), bytes.substr(0, size));
    const std::vector<RecoveryReport> reports = Recover();
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_FALSE(reports[0].set_aside.empty());
  }
  EXPECT_EQ(CountFiles(directory_.path(), ".aside-"), 4);
}

TEST_F(Recovery, ByForceLeavesWhatIsSetAsideAndCannotBeReadUnderItsName) {
  WriteFile(path(), "");
  WriteFile(arena(), "not an arena");
  const std::string aside = Recover().at(0).set_aside;
  for (int i = 0; i < 2; i++) {
    const std::vector<RecoveryReport> reports = Recover(&io::PosixFileSystem(), true);
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].set_aside, aside);
    EXPECT_NE(reports[0].reason, "");
    EXPECT_EQ(ReadFile(aside), "not an arena");
  }
}

// --- arenas of another boot ---

class OtherBoot : public Recovery {
 protected:
  // As a process leaves its arena that logged so much and died.
  void LogAndDie(uint32_t count, int death = -1) {
    ASSERT_TRUE(LiveAndDie([&] {
      FaultyFiles files;
      if (death >= 0) files.At(death, 700, Die);
      const auto log = Log::Open(ArenaConfig(), &files);
      LogSome(*log, count);
      Die();
    }));
  }
  void ChangeBoot() {
    std::string bytes = ReadFile(arena());
    bytes[88] = static_cast<char>(bytes[88] + 1);
    WriteFile(arena(), bytes);
  }
};

TEST_F(OtherBoot, AfterACleanEndIsRecoveredAsOfThisOne) {
  for (const int death : {-1, 0, 3, 6}) {
    std::remove(path().c_str());
    counters_[0] = 0;
    LogAndDie(60, death);
    ChangeBoot();
    EXPECT_EQ(Recover().at(0).set_aside, "");
    ExpectEverything();
  }
}

TEST_F(OtherBoot, IsSetAsideIfTheLogIsNotTheOneItBelongsTo) {
  LogAndDie(60);
  ChangeBoot();
  const std::string log = ReadFile(path());
  std::string other = log;
  other[log.size() - 600] = static_cast<char>(other[log.size() - 600] + 1);
  WriteFile(path(), other);
  EXPECT_NE(Recover().at(0).set_aside, "");
  EXPECT_EQ(ReadFile(path()), other);
  WriteFile(path(), log);
  EXPECT_EQ(Recover(&io::PosixFileSystem(), true).at(0).set_aside, "");
  EXPECT_EQ(CountFiles(directory_.path(), ".aside-"), 0);
  ExpectEverything();
}

// After a power failure some pages are of an older time than others: those of the data hold the
// generation before last, those of the header speak of the last one.
TEST_F(OtherBoot, IsSetAsideIfItWouldRepeatWhatTheLogHolds) {
  {
    const auto log = Log::Open(ArenaConfig());
    const auto producer = log->Attach();
    std::string stale;
    for (uint32_t i = 0; i < 30; i++) {
      const std::string entry = MakeEntry(0, i, 100);
      ASSERT_TRUE(producer->Append(entry.data(), entry.size()));
      if (i == 9) stale = ReadFile(arena());
      ASSERT_TRUE(i % 10 != 9 || log->Flush().ok());
    }
    std::string torn = ReadFile(arena());
    // Generation 4 as generation 0 was, whose lines are in the log.
    const size_t data_offset = (4096 + 2 * 64 + 2 * 16 * 64 + 4095) & ~size_t{4095};
    torn.replace(data_offset, 65536, stale.substr(data_offset, 65536));
    for (uint32_t i = 30; i < 33; i++) {
      const std::string entry = MakeEntry(0, i, 100);
      ASSERT_TRUE(producer->Append(entry.data(), entry.size()));
      ASSERT_TRUE(i >= 31 || log->Flush().ok());
    }
    const std::string control = ReadFile(arena()).substr(0, data_offset);
    torn.replace(0, data_offset, control);
    ASSERT_TRUE(log->Close().ok());
    WriteFile(arena(), torn);
  }
  ChangeBoot();
  // What the close wrote is not in the log that the power failure left; nothing hangs on it.
  const std::string before = ReadFile(path());
  const std::vector<RecoveryReport> reports = Recover();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(CheckEntries(ReadPlainLog(path()).Entries()).complaints, std::vector<std::string>{});
  EXPECT_EQ(ReadFile(path()).substr(0, before.size()), before);
}

// Also of what a kill tore in the log nothing is repaired before the arena is trusted.
TEST_F(OtherBoot, IsSetAsideAsItIsIfItIsDamaged) {
  const size_t slots = 4096 + 2 * 64;
  for (const int death : {-1, 0, 3, 6}) {
    SCOPED_TRACE(death);
    std::remove(path().c_str());
    counters_[0] = 0;
    LogAndDie(60, death);
    ChangeBoot();
    std::string damaged = ReadFile(arena());
    for (size_t i = 0; i < 32; i++) damaged.replace(slots + i * 64 + 24, 4, "\xff\xff\xff\xff", 4);
    WriteFile(arena(), damaged);
    const std::string log = ReadFile(path());
    const RecoveryReport report = Recover().at(0);
    ASSERT_NE(report.set_aside, "");
    EXPECT_TRUE(ReadFile(report.set_aside) == damaged);
    EXPECT_TRUE(ReadFile(path()) == log);
    std::remove(report.set_aside.c_str());
  }
}

TEST_F(OtherBoot, ByForceRepeatsNothingThatTheLogHolds) {
  LogAndDie(60);
  const std::string left = ReadFile(arena());
  Recover();  // all of it is in the log now
  WriteFile(arena(), left);
  ChangeBoot();
  Recover(&io::PosixFileSystem(), true);
  ExpectEverything();
}

// Words of the arena overwritten at random: no crash, no hang, and the log stays readable.
TEST_F(Recovery, SurvivesRandomDamageOfTheArena) {
  ASSERT_TRUE(LiveAndDie([&] {
    const auto log = Log::Open(ArenaConfig(2));
    LogSome(*log, 100);
    Die();
  }));
  const std::string bytes = ReadFile(arena());
  Random random(11);
  for (int round = 0; round < 200; round++) {
    std::string damaged = bytes;
    for (uint64_t i = random.Between(1, 30); i > 0; i--) {
      const size_t limit =
          random.Next() % 2 == 0 ? 4096 + 2 * 64 * 2 + 2 * 64 * 32 : damaged.size();
      damaged[random.Between(107, limit - 1)] = static_cast<char>(random.Next());
    }
    WriteFile(arena(), damaged);
    Recover();
    EXPECT_FALSE(Exists(arena()));
  }
  const PlainLog log = ReadPlainLog(path());
  // Numbers and times are what the arena said; the blocks are sound.
  for (const std::string& complaint : log.complaints) {
    const bool of_numbers = complaint.find("sequence") != std::string::npos ||
                            complaint.find("times") != std::string::npos;
    EXPECT_TRUE(of_numbers) << complaint;
  }
}

}  // namespace
}  // namespace shardlog::test
