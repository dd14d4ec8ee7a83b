// Logs of lines whose generations take many chunks: each line once, whole, in its order, whatever
// the kernel says and whenever the process dies.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "engine/arena_paths.h"
#include "log/log.h"
#include "log/recovery.h"
#include "support/child.h"
#include "support/entries.h"
#include "support/faulty_files.h"
#include "support/plain_log.h"
#include "support/record_builder.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::Config;
using engine::Format;
using engine::Log;

constexpr uint32_t kPerGeneration = 180;
constexpr size_t kHeadBytes = 50'000;  // of each line: a generation is 9 MB of text in five chunks

// Number 0, 1, 2 ... and much in front of it.
std::string LineOf(uint32_t number) {
  return "{" + std::string(kHeadBytes, static_cast<char>('a' + number % 26)) +
         ",\"n\":" + std::to_string(number) + "}\n";
}

class LineLog : public testing::TestWithParam<Format> {
 protected:
  Config LineConfig() const {
    Config config = SmallConfig(path(), 1);
    config.buffer_bytes = 32u << 20;
    config.content = engine::Content::kRecords;
    config.format = GetParam();
    config.on_full = engine::OnFull::kBlock;
    config.block_timeout_ns = UINT64_MAX;
    return config;
  }
  std::string path() const { return directory_.File("log"); }

  // A generation that is made of `count` lines.
  void LogLines(engine::Producer& producer, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
      const std::string line = LineOf(said_);
      const Bytes entry = TextLine(said_, line);
      ASSERT_TRUE(producer.Append(entry.view().data(), entry.size()));
      counters_[0] = ++said_;
    }
  }

  std::vector<std::string> Lines() const {
    if (GetParam() == Format::kShard) {
      const PlainLog log = ReadPlainLog(path());
      EXPECT_EQ(log.complaints, std::vector<std::string>{});
      return log.Entries();
    }
    std::vector<std::string> lines;
    std::istringstream text(ReadFile(path()));
    for (std::string line; std::getline(text, line);) lines.push_back(line + "\n");
    return lines;
  }

  // All that were accepted, and at most `more` that were accepted without a word of it.
  void ExpectAllLines(uint32_t more = 0) const {
    const std::vector<std::string> lines = Lines();
    const uint32_t said = counters_[0];
    ASSERT_GE(lines.size(), said);
    ASSERT_LE(lines.size(), said + more);
    for (uint32_t i = 0; i < lines.size(); i++) {
      ASSERT_TRUE(lines[i] == LineOf(i)) << "line " << i << ": " << lines[i].substr(kHeadBytes);
    }
  }

  TempDir directory_;
  mutable SharedCounters counters_;
  uint32_t said_ = 0;
};

TEST_P(LineLog, HasEachLineOfGenerationsOfManyChunksOnce) {
  for (const size_t alignment : {size_t{512}, size_t{4096}}) {
    std::remove(path().c_str());
    said_ = 0;
    FaultyFiles files;
    files.SetAlignment(alignment);
    const auto log = Log::Open(LineConfig(), &files);
    const auto producer = log->Attach();
    for (const uint32_t count : {kPerGeneration, 1u, kPerGeneration / 3, 2u}) {
      LogLines(*producer, count);
      ASSERT_TRUE(log->Flush().ok());
    }
    EXPECT_TRUE(log->Close().ok());
    ExpectAllLines();
  }
}

TEST_P(LineLog, IsWholeAfterWritesThatDidHalf) {
  FaultyFiles files;
  files.SetAlignment(4096);
  const auto log = Log::Open(LineConfig(), &files);
  const auto producer = log->Attach();
  files.WriteShort(300'000, 7);
  LogLines(*producer, kPerGeneration);
  EXPECT_TRUE(log->Close().ok());
  ExpectAllLines();
}

// A line lies half in the file when a write fails.
TEST_P(LineLog, GoesOnInTheMiddleOfALineAfterAFailure) {
  FaultyFiles files;
  const auto log = Log::Open(LineConfig(), &files);
  const auto producer = log->Attach();
  LogLines(*producer, 3);
  files.WriteShort(kHeadBytes / 2);
  files.Fail(Call::kWrite, EROFS, FaultyFiles::kForEver, 1);
  EXPECT_FALSE(log->Flush().ok());
  files.Clear();
  EXPECT_TRUE(log->Flush().ok());
  EXPECT_TRUE(log->Close().ok());
  ExpectAllLines();
}

// The write of any chunk fails, for a while or for ever, and the generation is written again.
TEST_P(LineLog, KeepsAGenerationOfWhichAnyChunkFailed) {
  for (int chunk = 0; chunk < 5; chunk++) {
    SCOPED_TRACE(chunk);
    std::remove(path().c_str());
    said_ = 0;
    FaultyFiles files;
    const auto log = Log::Open(LineConfig(), &files);
    const auto producer = log->Attach();
    LogLines(*producer, 3);
    ASSERT_TRUE(log->Flush().ok());
    files.Fail(Call::kWrite, EROFS, FaultyFiles::kForEver, chunk);
    LogLines(*producer, kPerGeneration);
    EXPECT_FALSE(log->Flush().ok());
    EXPECT_EQ(log->Stats().last_problem.error_number, EROFS);
    files.Clear();
    LogLines(*producer, 3);
    EXPECT_TRUE(log->Close().ok());
    ExpectAllLines();
    EXPECT_EQ(log->Stats().dropped_logs, 0u);
  }
}

TEST_P(LineLog, GivesAPathThatWasSwitchedWhileAWriteFailedTheWholeGeneration) {
  FaultyFiles files;
  const auto log = Log::Open(LineConfig(), &files);
  const auto producer = log->Attach();
  files.Fail(Call::kWrite, EROFS, FaultyFiles::kForEver, 2);
  LogLines(*producer, kPerGeneration);
  EXPECT_FALSE(log->Flush().ok());
  std::remove(path().c_str());
  files.Clear();
  // An attempt that began before may still fail.
  EXPECT_TRUE(log->Flush().ok() || log->Flush().ok());
  EXPECT_TRUE(log->Close().ok());
  ExpectAllLines();
}

// A page of the file is less than a unit of the device.
TEST_P(LineLog, OnADeviceOfLargeSectorsGoesDirectFromWholeOnes) {
  constexpr size_t kSector = 8192;
  constexpr size_t kLine = 1024;
  if (GetParam() == Format::kNdjson) std::ofstream(path()) << std::string(4096 - 1, 'x') << '\n';
  FaultyFiles files;
  files.SetAlignment(kSector);
  files.PretendDirect();
  Config config = LineConfig();
  config.io.direct = io::DirectIo::kAuto;
  const auto log = Log::Open(config, &files);
  const auto producer = log->Attach();
  for (int i = 0; i < 4000; i++) {
    const Bytes entry = TextLine(i, std::string(kLine - 1, 'y') + "\n");
    ASSERT_TRUE(producer->Append(entry.view().data(), entry.size()));
  }
  EXPECT_TRUE(log->Flush().ok());
  EXPECT_EQ(log->Stats().io.reason.find("EINVAL"), std::string::npos)
      << "the device was asked for less than a sector";
  EXPECT_TRUE(log->Close().ok());
}

TEST_P(LineLog, FallsBackToBufferedWritesInTheMiddleOfAGeneration) {
  FaultyFiles files;
  files.PretendDirect();
  Config config = LineConfig();
  config.io.direct = io::DirectIo::kAuto;
  const auto log = Log::Open(config, &files);
  const auto producer = log->Attach();
  files.Fail(Call::kWrite, EINVAL, 1, 2);
  LogLines(*producer, kPerGeneration);
  EXPECT_TRUE(log->Close().ok());
  ExpectAllLines();
}

// Dies with any of the writes of a generation, of which some bytes reach the file, and in the
// recovery.
TEST_P(LineLog, HasEachLineOnceAfterAKillInAnyWrite) {
  for (const size_t written : {size_t{0}, size_t{500'000}}) {
    for (int death = 0; death < 7; death++) {
      SCOPED_TRACE(std::to_string(written) + " bytes of write " + std::to_string(death));
      std::remove(path().c_str());
      counters_[0] = 0;
      ASSERT_TRUE(LiveAndDie([&] {
        Config config = LineConfig();
        config.crash_safe = engine::CrashSafe::kFile;
        FaultyFiles files;
        const auto log = Log::Open(config, &files);
        const auto producer = log->Attach();
        LogLines(*producer, 3);
        log->Flush();
        files.At(death, written, Die);
        LogLines(*producer, kPerGeneration);
        log->Flush();
        Die();
      }));
      for (int death_of_recovery = 1; death_of_recovery < 8; death_of_recovery += 3) {
        FaultyFiles files;
        files.At(death_of_recovery, written, [] { throw Killed{}; });
        try {
          engine::RecoverLog(path(), LineConfig().io, false, &files);
        } catch (const Killed&) {
          ASSERT_TRUE(Exists(engine::FileArenaPath(path())))
              << "an unfinished recovery keeps the arena";
        }
      }
      engine::RecoverLog(path(), LineConfig().io, false, &io::PosixFileSystem());
      ExpectAllLines(1);
    }
  }
}

// A child made by fork() has no thread that writes; its copy of the log is left alone.
TEST_P(LineLog, GoesOnAfterAForkInTheMiddleOfAWrite) {
  FaultyFiles files;
  const auto log = Log::Open(LineConfig(), &files);
  const auto producer = log->Attach();
  LogLines(*producer, kPerGeneration);
  std::thread flushing([&] { log->Flush(); });
  for (int i = 0; i < 3; i++) {
    EXPECT_TRUE(LiveAndDie([&] { log->AbandonAfterFork(); }));
  }
  flushing.join();
  LogLines(*producer, 3);
  EXPECT_TRUE(log->Close().ok());
  ExpectAllLines();
}

INSTANTIATE_TEST_SUITE_P(Format, LineLog, testing::Values(Format::kNdjson, Format::kShard),
                         [](const auto& form) {
                           return form.param == Format::kNdjson ? "Text" : "Blocks";
                         });

}  // namespace
}  // namespace shardlog::test
